//go:build cuda

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine/cuda/driver/cu"
)

// Both tables of a GPU: ours, and one of a cuDNN that writes down what it is asked and
// computes nothing, where the driver is as little real.
func TestGPUBenchTables(t *testing.T) {
	if os.Getenv("MDP_TEST_EMULATED_DRIVER") == "" {
		t.Skip("only beside the emulated driver: a real cuDNN takes minutes to try its algorithms")
	}
	dir := t.TempDir()
	args := strings.Fields("bench --quiet --json --device cuda:0 --precision bf16 --impl both --model resnet8-cifar --width 0.25 --batch 1 --step 64 --out tables")

	t.Setenv("CUDNN_PATH", "")
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		t.Setenv(variable, "")
	}
	var alone tabled
	out := ok(t, dir, args...)
	require.NoError(t, json.Unmarshal([]byte(out.stdout), &alone))
	if alone.Without == "" {
		t.Skip("this machine has cuDNN")
	}
	assert.Contains(t, alone.Without, "our kernels only: no cuDNN 9")
	header, _, err := bench.ReadTable(filepath.Join(dir, "tables", "mdp", "latency.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, alone.Without, header.Without, "the table says so")
	assert.Contains(t, header.Settings.Source, "NVML")
	assert.NoDirExists(t, filepath.Join(dir, "tables", "cudnn"))
	assertRefused(t, mdp(t, dir, append(args, "--impl", "cudnn")...), exitFailed, "no cuDNN 9")

	library := filepath.Join(dir, "libcudnn.so.9")
	text, err := exec.Command("g++", "-shared", "-fPIC", "-O1", "-o", library, "../../engine/cuda/cudnn/testdata/libcudnn.cpp").CombinedOutput()
	require.NoError(t, err, string(text))
	t.Setenv("CUDNN_PATH", dir)
	t.Setenv("CUDNN_LOG", filepath.Join(dir, "asked"))
	lines := json.NewDecoder(strings.NewReader(ok(t, dir, args...).stdout))
	var ours, theirs, nchw tabled
	require.NoError(t, lines.Decode(&ours))
	require.NoError(t, lines.Decode(&theirs))
	assert.Equal(t, alone.Rows, ours.Rows, "what was measured is not measured again")
	require.NoError(t, lines.Decode(&nchw))
	assert.Equal(t, ours.Rows, theirs.Rows)
	assert.Equal(t, ours.Rows, nchw.Rows)
	assert.Equal(t, "cuDNN 9.1.0 NCHW bf16, emulated driver", nchw.Backend)
	header, rows, err := bench.ReadTable(filepath.Join(dir, "tables", "cudnn", "latency.jsonl"))
	require.NoError(t, err)
	assert.Equal(t, "cuDNN 9.1.0 bf16, emulated driver", header.Backend)
	found := 0
	for _, r := range rows {
		if strings.HasPrefix(r.Key, "conv_forward") {
			assert.Contains(t, r.How, `"version":"9.1.0"`, r.Key)
			found++
		} else {
			assert.Empty(t, r.How, r.Key)
		}
	}
	assert.Positive(t, found)
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	require.NoError(t, err)
	assert.Contains(t, string(asked), "0 descriptors left")
	for _, tensor := range []string{"x[format 1 type 9", "x[format 0 type 9"} {
		assert.Contains(t, string(asked), tensor, "images as each layout has them")
	}
	assert.Contains(t, ok(t, dir, "bench", "compare", "tables/mdp", "tables/cudnn").stdout, "in geometric mean")

	half := strings.Fields("--precision fp16 --impl cudnn-nchw --out half")
	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, append(args, half...)...).stdout), &nchw))
	assert.Equal(t, "cuDNN 9.1.0 NCHW fp16, emulated driver", nchw.Backend)
}

func TestGPUSelfTest(t *testing.T) {
	if _, err := cu.Devices(); err != nil {
		t.Skip(err)
	}
	var got selfTest
	require.NoError(t, json.Unmarshal([]byte(ok(t, t.TempDir(), "bench", "--selftest", "--quiet", "--json", "--device", "cuda:0").stdout), &got))
	assert.Positive(t, got.ClockMHz)
	assert.Positive(t, got.EmptyNS.MedianNS)
}
