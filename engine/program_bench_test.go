package engine_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// benchmarked are the networks whose speed the README gives.
var benchmarked = []struct {
	name  string
	side  int
	batch int
}{
	{"resnet20-cifar", 32, 128},
	{"resnet50", 224, 16},
	{"mobilenet_v2", 224, 16},
}

func whole(b *testing.B, name string, side int, mode engine.Mode, batchSize int) *engine.Program {
	g, err := nets.Build(name, nets.Options{Input: graph.Shape{H: side, W: side, C: 3}})
	require.NoError(b, err)
	if mode == engine.Train {
		g, err = g.WithLoss(0.1)
		require.NoError(b, err)
	}
	p, err := engine.Compile(g, backend(b, 0), engine.Options{Mode: mode, Batch: batchSize})
	require.NoError(b, err)
	b.Cleanup(func() { p.Close() })
	require.NoError(b, p.SetWeights(graph.InitWeights(g, 1)))
	return p
}

func BenchmarkTrain(b *testing.B) {
	for _, n := range benchmarked {
		b.Run(n.name, func(b *testing.B) {
			p := whole(b, n.name, n.side, engine.Train, n.batch)
			images, labels := batch(p.Graph(), n.batch, 1)
			step := func() {
				_, err := p.Step(images, labels, engine.Hyper{LearningRate: 1e-3, Momentum: 0.9})
				require.NoError(b, err)
			}
			step()
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64(n.batch)*float64(b.N)/b.Elapsed().Seconds(), "img/s")
		})
	}
}

func BenchmarkInfer(b *testing.B) {
	for _, n := range benchmarked {
		for _, size := range []int{1, n.batch} {
			b.Run(n.name+"/batch"+strconv.Itoa(size), func(b *testing.B) {
				p := whole(b, n.name, n.side, engine.Infer, size)
				images, _ := batch(p.Graph(), size, 1)
				logits := make([]float32, size*p.Graph().Shape(p.Graph().Len()-1).C)
				require.NoError(b, p.Infer(logits, images))
				for b.Loop() {
					require.NoError(b, p.Forward())
				}
				b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "img/s")
			})
		}
	}
}

// BenchmarkMemory compares the process's peak with the plan of its one training
// step. Run it alone: the peak is the process's.
func BenchmarkMemory(b *testing.B) {
	n := benchmarked[0]
	p := whole(b, n.name, n.side, engine.Train, n.batch)
	images, labels := batch(p.Graph(), n.batch, 1)
	for b.Loop() {
		_, err := p.Step(images, labels, engine.Hyper{LearningRate: 1e-3})
		require.NoError(b, err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("this system does not tell a process's peak memory:", err)
	}
	peakKiB, err := strconv.ParseFloat(string(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)[1]), 64)
	require.NoError(b, err)
	plan := float64(p.PeakBytes()) / (1 << 20)
	b.ReportMetric(plan, "plan-MiB")
	b.ReportMetric(peakKiB/1024, "peak-MiB")
	b.ReportMetric(peakKiB/1024/plan, "peak/plan")
}
