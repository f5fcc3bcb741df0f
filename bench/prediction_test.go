package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// BenchmarkPrediction compares the sum of a table's rows with the network
// measured end to end, for a residual network of small images and narrower ones:
//
//	go test ./bench -run '^$' -bench Prediction -benchtime 1x
func BenchmarkPrediction(b *testing.B) {
	const batch = 64
	backend, err := cpu.New(cpu.Options{})
	require.NoError(b, err)
	var programs []*engine.Program
	widths := []float64{1.5, 1, 0.75, 0.5, 0.25}
	for _, width := range widths {
		p := program(b, backend, batch, width)
		defer p.Close()
		programs = append(programs, p)
	}

	h, err := NewHeader(backend, batch, CallRule())
	require.NoError(b, err)
	table, err := OpenTable(filepath.Join(b.TempDir(), "latency.jsonl"), h)
	require.NoError(b, err)
	defer table.Close()
	var calls []engine.Call
	for _, p := range programs {
		calls = append(calls, p.Plan().Calls...)
	}
	require.NoError(b, table.Measure(context.Background(), backend, calls, nil))
	measured, err := Networks(context.Background(), programs, NetworkRule())
	require.NoError(b, err)

	for i, p := range programs {
		b.Run(fmt.Sprintf("%s_x%g", p.Graph().Name(), widths[i]), func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, p.Forward())
			}
			predicted, missing := Predict(p, table)
			require.Empty(b, missing)
			b.ReportMetric(float64(predicted)/1e6, "predicted-ms")
			b.ReportMetric(float64(measured[i].MedianNS)/1e6, "measured-ms")
			b.ReportMetric(100*(float64(predicted)/float64(measured[i].MedianNS)-1), "error-%")
		})
	}
}

// program is a residual network with weights and a noise image on the device.
func program(b *testing.B, backend engine.Backend, batch int, width float64) *engine.Program {
	image := graph.Shape{H: 28, W: 28, C: 1}
	g, err := nets.Build("resnet14-cifar", nets.Options{Input: image, Width: width})
	require.NoError(b, err)
	p, err := engine.Compile(g, backend, engine.Options{Mode: engine.Infer, Batch: batch})
	require.NoError(b, err)
	require.NoError(b, p.SetWeights(graph.InitWeights(g, 1)))
	r := rand.New(rand.NewPCG(1, 2))
	images := make([]float32, batch*image.Size())
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	require.NoError(b, p.Infer(make([]float32, batch*10), images))
	return p
}
