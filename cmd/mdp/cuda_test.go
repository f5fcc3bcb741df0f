//go:build cuda

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/cu"
)

// With a GPU or without, mdp says in one line what it finds.
func TestGPUDoctor(t *testing.T) {
	out := execute(t, command(t, t.TempDir(), "doctor", "--json"))
	require.Zero(t, out.code, out.stderr)
	var d diagnosis
	require.NoError(t, json.Unmarshal([]byte(out.stdout), &d))
	found := map[string]finding{}
	for _, f := range d.Backends {
		found[f.Name] = f
	}
	require.Contains(t, found, "cuda")
	devices, err := cu.Devices()
	if err != nil {
		assert.Equal(t, finding{"cuda", false, oneLine(err)}, found["cuda"])
		return
	}
	assert.True(t, found["cuda"].There)
	assert.Contains(t, found["cuda:0"].Detail, devices[0].Name)
	assert.Contains(t, found, "cudnn")
}

func TestGPUThatIsNotThere(t *testing.T) {
	for device, code := range map[string]int{"cuda:700": exitFailed, "gpu": exitUsage, "cuda:-1": exitUsage, "cuda:": exitUsage} {
		out := execute(t, command(t, t.TempDir(), "kernels", "--device", device))
		assert.Equal(t, code, out.code, device)
		assert.Empty(t, out.stdout)
		assert.Equal(t, 1, strings.Count(out.stderr, "\n"), out.stderr)
	}
}

func TestGPUKernels(t *testing.T) {
	if _, err := cu.Devices(); err != nil {
		t.Skip(err)
	}
	out := execute(t, command(t, t.TempDir(), "kernels", "--net", "resnet8-cifar", "--batch", "1", "--time", "30s"))
	require.Zero(t, out.code, out.stderr)
	lines := json.NewDecoder(strings.NewReader(out.stdout))
	var h kernelsHeader
	require.NoError(t, lines.Decode(&h))
	assert.Equal(t, "resnet8-cifar", h.Net)
	for range stepRows("resnet8-cifar", 1) {
		var r stepRow
		require.NoError(t, lines.Decode(&r))
		assert.Empty(t, r.Error, r.Mode)
		assert.Positive(t, r.ImagesPerSecond, r.Mode)
		assert.Positive(t, r.ProgramBytes, r.Mode)
	}
	rows := 0
	for ; lines.More(); rows++ {
		var r kernelRow
		require.NoError(t, lines.Decode(&r))
		assert.Empty(t, r.Error, r.Call)
		assert.Positive(t, r.MedianNS, r.Call)
		assert.Positive(t, r.FLOP+r.Bytes, r.Call)
	}
	assert.Positive(t, rows)
}
