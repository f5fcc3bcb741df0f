package onnx

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
)

const importPath = "MDP_ONNX_IMPORT"

// peakKiB is the process's largest memory so far.
func peakKiB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("this system does not tell a process's peak memory:", err)
	}
	peak, err := strconv.ParseFloat(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)[1]), 64)
	require.NoError(b, err)
	return peak
}

// BenchmarkImport reads ResNet-50 from a file in the page cache, in a process that
// does nothing else: the time of reading and converting, and the process's peak
// memory as a multiple of the file.
func BenchmarkImport(b *testing.B) {
	if path := os.Getenv(importPath); path != "" {
		start := time.Now()
		_, err := Import(path, Options{})
		require.NoError(b, err)
		fmt.Printf("took %d\npeak %.0f\n", time.Since(start).Nanoseconds(), peakKiB(b))
		return
	}
	g, err := nets.Build("resnet50", nets.Options{})
	require.NoError(b, err)
	m, err := Export(g, graph.InitWeights(g, 1), ExportOptions{})
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "resnet50.onnx")
	f, err := os.Create(path)
	require.NoError(b, err)
	require.NoError(b, Encode(f, m))
	info, err := f.Stat()
	require.NoError(b, err)
	require.NoError(b, f.Close())
	took, peak, runs := 0.0, 0.0, 0.0
	for b.Loop() {
		c := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkImport$", "-test.benchtime=1x")
		c.Env = append(os.Environ(), importPath+"="+path)
		out, err := c.CombinedOutput()
		require.NoError(b, err, string(out))
		figure := func(name string) float64 {
			v, err := strconv.ParseFloat(string(regexp.MustCompile(name + ` (\d+)`).FindSubmatch(out)[1]), 64)
			require.NoError(b, err)
			return v
		}
		took, peak, runs = took+figure("took"), max(peak, 1024*figure("peak")), runs+1
	}
	b.ReportMetric(took/runs/1e6, "import-ms")
	b.ReportMetric(peak/float64(info.Size()), "peak/file")
	b.ReportMetric(float64(info.Size())/1e6, "file-MB")
}
