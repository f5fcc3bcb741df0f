package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/sensor"
)

const conv1 = "conv_forward+relu+bias/n2_8x8x16_k32x3x3_s1x1_p1x1_d1x1_g2_o8x8" // 2·2·8·8·32·16/2·3·3 = 589,824 FLOP

// benchFolder is what gpu-bench leaves on a GPU that nobody has.
func benchFolder(t *testing.T) string {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	table := func(name, backend, without string, ns ...int64) {
		h := bench.Header{Format: "mdp latency table", Version: 2, Date: time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC), CPU: "A processor", Cores: 16, Backend: backend,
			Info: engine.Info{Model: "A GPU", ISA: "sm_90", Driver: "580.1", SMs: 132, ClockMHz: 1980, MemoryBytes: 139 << 30, CacheBytes: 50 << 20}, Build: "abc", Batch: 2,
			Settings: sensor.Settings{Source: "NVML 13", ECC: "on", PowerLimitW: 700}, Without: without}
		var text strings.Builder
		e := json.NewEncoder(&text)
		require.NoError(t, e.Encode(h))
		for i, of := range ns {
			r := bench.Row{Key: []string{conv1, "avg_pool_forward/n2_8x8x32_8x8_s1x1_p0x0_o1x1"}[i], CostNS: int64(i+1) * 4e6, Reference: conv1, ReferenceNS: ns[0], ClockMHz: 1900 + i, Discarded: i,
				State: &sensor.Reading{TemperatureC: 50 + i, PowerW: 300, Slowed: []string{"power cap"}[:i]}}
			r.Result = bench.Summarise([]int64{of, of, of, of, of, of, of, of})
			r.Stop = bench.Quiet
			require.NoError(t, e.Encode(r))
		}
		write(name+"/latency.jsonl", text.String())
	}
	write("gpu-bench.jsonl", `{"step": "doctor", "result": "passed", "seconds": 1, "file": "doctor.json"}
{"step": "selftest", "result": "passed", "seconds": 2, "file": "selftest.json"}
{"step": "dense-bf16", "result": "passed", "seconds": 3, "file": "dense-bf16.json"}
{"step": "once", "result": "passed", "seconds": 3, "file": "once.json"}
{"step": "twice", "result": "cut off after 25 s", "seconds": 25, "file": "twice.json"}
{"step": "table-small", "result": "passed", "seconds": 3, "file": "table-small.json"}
{"step": "verify-small", "result": "passed", "seconds": 3, "file": "verify-small.json"}
{"step": "cold-bf16", "result": "passed", "seconds": 3, "file": "cold-bf16.json"}
{"step": "cost of small", "rows": 11, "ms_per_row": 30.70, "seconds": 0}
`)
	write("selftest.json", `{"machine":"A GPU","empty":{"medianNS":1200,"lowNS":1100,"highNS":1300},"clock_mhz":1979.6,"stated_mhz":1980,"probes":[
		{"call":"spin/10000","cycles":10000,"median_ns":5050,"bias":-0.001,"spread":0.002},{"call":"activate/8","bytes":64,"median_ns":4000,"spread":0.01,"gb_per_s":4000}]}`)
	table("dense-bf16/mdp", "cuda bf16, A GPU", "", 10000, 4000)
	table("dense-bf16/cudnn", "cuDNN 9 bf16, A GPU", "", 20000, 4000)
	table("dense-fp32/mdp", "cuda fp32, A GPU", "our kernels only: no cuDNN 9: install it (at /there)", 40000)
	table("once", "cuda bf16, A GPU", "", 10000, 4000)
	table("twice", "cuda bf16, A GPU", "", 10005, 4400)
	table("cold-bf16", "cuda bf16, A GPU", "", 11000, 4400)
	table("small", "cuda bf16, A GPU", "", 10000, 4000)
	write("small/verify.json", `{"models":[{"model":"tied","medianPct":1.5,"worstPct":-2,"worstOf":"random 0.8x 1"},{"model":"additive","medianPct":5,"worstPct":5,"worstOf":"random 0.8x 1"}],
		"networks":[{"name":"random 0.8x 1","denseMS":10,"measuredMS":8,"spreadPct":1,"predictedMS":[7.84,8.4]}]}`)
	write("small/verify.jsonl", "{}\n")
	return dir
}

func TestBenchPage(t *testing.T) {
	dir := benchFolder(t)
	var b strings.Builder
	require.NoError(t, page(&b, dir))
	for _, line := range []string{
		"A GPU, driver 580.1, sm_90, 132 SMs at up to 1980 MHz, 139.0 GiB, a cache of 50.0 MiB. Host: A processor, 16 cores. 2027-01-02, build abc.",
		"Settings as told by NVML 13: persistence –, ECC on, power limit 700 W, clock at most – MHz, for applications –.",
		"While its 13 rows were measured: 1900 to 1901 MHz, 50 to 51 °C, 300 to 300 W; slowed by power cap in 6 of them.",
		"An empty call takes 1.20 µs, 1.10 to 1.30. The clock is 1980 MHz by spins, at most 1980 by the driver. Bias at most 0.10 %, repeats within ±1.00 %.",
		"| spin/10000 | 5.05 | −0.10 % | ±0.20 % | – |",
		"| activate/8 | 4.00 | – | ±1.00 % | 4000 |",
		"| bf16 | 2 | 0.0140 | 0.0240 | 1.41 | 1 of 2 | – | – | – |", // √(2·1)
		"| fp32 | 1 | 0.0400 | – | – | – | – | – | – |",
		"*our kernels only: no cuDNN 9: install it.*",
		"*`dense-tf32`: not reached.*",
		"| " + conv1 + " | 10.0 | 0.0590 | 20.0 | 2.00 | – | – |",
		"| avg_pool_forward/n2_8x8x32_8x8_s1x1_p0x0_o1x1 | 4.00 | – | 4.00 | 1.00 | – | – |",
		"Two tables of 2 configurations, one after the other: the medians of 50.0 % agree within 1 %; the second takes 1.0491 of the first's time in geometric mean. 1 are the same for certain, 0 faster, 1 slower, 0 unclear. The farthest:",
		"*`twice`: cut off after 25 s.*",
		"With cold caches 2 configurations of the dense network take 1.100 of the time in geometric mean, at the most 1.100: avg_pool_forward/n2_8x8x32_8x8_s1x1_p0x0_o1x1.",
		"| once | cuda bf16, A GPU | 2 | 2 | 4.00 | 8.00 | 8.00 | 0.0120 | 100.0 % | 1 |",
		"*`verify-resnet50`: not reached.*",
		"From 2 rows at batch 2, cuda bf16, A GPU.",
		"| network | ms | of dense | its samples' spread | tied | additive |",
		"| random 0.8x 1 | 8.00 | 0.800 | 1.0 % | −2.00 % | +5.00 % |",
		"| **median** | | | | **1.50 %** | **5.00 %** |",
		"| **worst** | | | | **−2.00 %** | **+5.00 %** |",
		"| step that did not pass | result | s |\n|---|---|--:|\n| twice | cut off after 25 s | 25 |",
	} {
		assert.Contains(t, b.String(), line+"\n")
	}
}

// Whatever gpu-bench had written when it was cut off makes a page, and so does a folder
// with a table that nobody can read.
func TestBenchCutOff(t *testing.T) {
	var names []string
	whole := benchFolder(t)
	require.NoError(t, filepath.WalkDir(whole, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(whole, path)
			names = append(names, path)
		}
		return err
	}))
	require.Len(t, names, 11)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(whole, name))
		require.NoError(t, err)
		for _, size := range []int{0, 1, len(text) / 2, len(text) - 1} {
			path := filepath.Join(benchFolder(t), name)
			require.NoError(t, os.Truncate(path, int64(size)))
			var b strings.Builder
			require.NoError(t, page(&b, strings.TrimSuffix(path, name)), "%s cut off after %d bytes", name, size)
			assert.Contains(t, b.String(), "A GPU, driver 580.1")
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(whole, "once", "latency.jsonl"), []byte("{}\n"), 0o644))
	var b strings.Builder
	require.NoError(t, page(&b, whole))
	assert.Contains(t, b.String(), "is not the header of a latency table")

	empty := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(empty, benchSteps), nil, 0o644))
	require.ErrorContains(t, page(&b, empty), "there is no table to be read")
}

// The page of both folders and what it was made of go into one.
func TestKeep(t *testing.T) {
	checked, benched, into := t.TempDir(), benchFolder(t), filepath.Join(t.TempDir(), "a-gpu")
	require.NoError(t, os.WriteFile(filepath.Join(checked, "kernels.jsonl"), []byte(ours), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(checked, "doctor.json"), []byte("{}"), 0o644))
	var b strings.Builder
	files, err := run(&b, []string{checked, benched})
	require.NoError(t, err)
	require.NoError(t, keep(into, []byte(b.String()), files))
	text, err := os.ReadFile(filepath.Join(into, "README.md"))
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(text))
	assert.Contains(t, b.String(), "resnet50 at batch 256")
	assert.Contains(t, b.String(), "## Repeatability")
	for _, name := range []string{"dense-bf16/cudnn/latency.jsonl", "small/verify.jsonl", "selftest.json", benchSteps} {
		want, err := os.ReadFile(filepath.Join(benched, name))
		require.NoError(t, err)
		have, err := os.ReadFile(filepath.Join(into, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(have), name)
	}
	assert.FileExists(t, filepath.Join(into, "kernels.jsonl"))
	assert.NoFileExists(t, filepath.Join(into, "doctor.json"), "it names folders of the machine")
}
