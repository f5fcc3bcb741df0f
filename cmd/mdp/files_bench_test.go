package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/prune"
)

// BenchmarkFiles reads and writes ResNet-50 by the commands that do, each a process
// of its own: how long it takes from start to end with its input in the page cache
// and its output synced to the disk, and its peak memory as a multiple of the file.
func BenchmarkFiles(b *testing.B) {
	dir := b.TempDir()
	run := func(args string) (took time.Duration, peakBytes int64) {
		c := command(b, dir, strings.Fields(args)...)
		start := time.Now()
		out, err := c.CombinedOutput()
		require.NoError(b, err, string(out))
		return time.Since(start), c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	}
	g, err := nets.Build("resnet50", nets.Options{})
	require.NoError(b, err)
	require.NoError(b, prune.WriteModel(filepath.Join(dir, "net"), g, graph.InitWeights(g, 1), nil))
	run("export net --onnx net.onnx --safetensors net.safetensors")
	info, err := os.Stat(filepath.Join(dir, "net.safetensors")) // the other is as large but for a few names
	require.NoError(b, err)
	for _, c := range []struct{ name, args string }{
		{"import-onnx", "import net.onnx --out in"},
		{"import-safetensors", "import net.safetensors --net resnet50 --width 1 --out in"},
		{"export-onnx", "export net --onnx out.onnx"},
		{"export-safetensors", "export net --safetensors out.safetensors"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took time.Duration
			peak, runs := int64(0), 0
			for b.Loop() {
				t, p := run(c.args)
				took, peak, runs = took+t, max(peak, p), runs+1
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(runs)/1e6, "ms")
			b.ReportMetric(float64(peak)/float64(info.Size()), "peak/file")
		})
	}
}
