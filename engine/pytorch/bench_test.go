package pytorch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/onnx"
)

// benchFile tells a process of BenchmarkFiles what to do: FORM of the file.
const benchFile = "MDP_BENCH_FILE"

// BenchmarkFiles reads and writes ResNet-50, each time in a process that does
// nothing else: how long it takes with the file in the page cache, and the
// process's peak memory as a multiple of the file. A process that writes has read
// the weights before.
func BenchmarkFiles(b *testing.B) {
	g, err := nets.Build("resnet50", nets.Options{})
	require.NoError(b, err)
	if dir := os.Getenv(benchFile); dir != "" {
		took := transfer(b, g, filepath.Base(dir), filepath.Dir(dir))
		fmt.Printf("took %d\npeak %s\n", took.Nanoseconds(), peakKiB(b))
		return
	}
	dir := b.TempDir()
	w := graph.InitWeights(g, 1)
	require.NoError(b, WriteStateDict(filepath.Join(dir, "in.safetensors"), g, w, nil))
	writeONNX(b, filepath.Join(dir, "in.onnx"), g, w, onnx.ExportOptions{})
	info, err := os.Stat(filepath.Join(dir, "in.safetensors")) // the other is as large but for a few names
	require.NoError(b, err)
	for _, form := range []string{"import-safetensors", "import-onnx", "export-safetensors", "export-onnx"} {
		b.Run(form, func(b *testing.B) {
			took, peak, runs := 0.0, 0.0, 0.0
			for b.Loop() {
				c := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkFiles$", "-test.benchtime=1x")
				c.Env = append(os.Environ(), benchFile+"="+filepath.Join(dir, form))
				out, err := c.CombinedOutput()
				require.NoError(b, err, string(out))
				figure := func(name string) float64 {
					v, err := strconv.ParseFloat(string(regexp.MustCompile(name + ` (\d+)`).FindSubmatch(out)[1]), 64)
					require.NoError(b, err)
					return v
				}
				took, peak, runs = took+figure("took"), max(peak, 1024*figure("peak")), runs+1
			}
			b.ReportMetric(took/runs/1e6, "ms")
			b.ReportMetric(peak/float64(info.Size()), "peak/file")
		})
	}
}

// transfer reads the file and, where the form says so, writes another.
func transfer(b *testing.B, g *graph.Graph, form, dir string) time.Duration {
	start := time.Now()
	if form == "import-onnx" {
		_, err := onnx.Import(filepath.Join(dir, "in.onnx"), onnx.Options{})
		require.NoError(b, err)
		return time.Since(start)
	}
	c, err := Open(filepath.Join(dir, "in.safetensors"))
	require.NoError(b, err)
	defer c.Close()
	_, w, err := c.Load(g)
	require.NoError(b, err)
	if form == "import-safetensors" {
		return time.Since(start)
	}
	start = time.Now()
	if form == "export-safetensors" {
		require.NoError(b, WriteStateDict(filepath.Join(dir, "out.safetensors"), g, w, nil))
		return time.Since(start)
	}
	writeONNX(b, filepath.Join(dir, "out.onnx"), g, w, onnx.ExportOptions{Folded: true})
	return time.Since(start)
}

func writeONNX(b *testing.B, path string, g *graph.Graph, w graph.Weights, o onnx.ExportOptions) {
	m, err := onnx.Export(g, w, o)
	require.NoError(b, err)
	f, err := os.Create(path)
	require.NoError(b, err)
	require.NoError(b, onnx.Encode(f, m))
	require.NoError(b, f.Close())
}

// peakKiB is the most memory that the process has held.
func peakKiB(b *testing.B) string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("peak memory is read from /proc")
	}
	return string(regexp.MustCompile(`VmHWM:\s*(\d+)`).FindSubmatch(status)[1])
}
