package bench

import (
	"context"
	"fmt"
	"maps"
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
// measured end to end, for networks of small images and narrower ones. As in a
// run, predictions follow the pace at which the dense network was measured
// beside them, so the first network's error is zero by definition:
//
//	go test ./bench -run '^$' -bench Prediction -benchtime 1x
func BenchmarkPrediction(b *testing.B) {
	const batch = 64
	backend, err := cpu.New(cpu.Options{})
	require.NoError(b, err)
	var programs []*engine.Program
	networks := []struct {
		name  string
		width float64
	}{
		{"resnet14-cifar", 1}, {"resnet14-cifar", 0.75}, {"resnet14-cifar", 0.5}, {"resnet14-cifar", 0.25},
		{"resnet20-cifar", 0.6}, {"mobilenet_v2", 0.25}, {"mobilenet_v2", 0.5},
	}
	for _, n := range networks {
		p := program(b, backend, batch, n.name, n.width)
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
	inNetwork := map[string]int64{} // of the two that the others are narrower than
	for _, dense := range []int{0, len(programs) - 1} {
		of, err := NewInNetwork(programs[dense]).Observe(context.Background(), 100)
		require.NoError(b, err)
		maps.Copy(inNetwork, of.CallsNS)
	}
	latencyNS := Tie(table.Rows(), inNetwork)
	measured, err := Networks(context.Background(), programs, NetworkRule())
	require.NoError(b, err)

	atBench, _ := Predict(programs[0], latencyNS)
	pace := float64(measured[0].MedianNS) / float64(atBench)
	for i, p := range programs {
		b.Run(fmt.Sprintf("%s_x%g", networks[i].name, networks[i].width), func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, p.Forward())
			}
			predicted, missing := Predict(p, latencyNS)
			require.Empty(b, missing)
			predictedNS, measuredNS := float64(predicted)*pace, float64(measured[i].MedianNS)
			b.ReportMetric(predictedNS/1e6, "predicted-ms")
			b.ReportMetric(measuredNS/1e6, "measured-ms")
			b.ReportMetric(100*(predictedNS/measuredNS-1), "error-%")
		})
	}
}

// program is a network with weights and a noise image on the device.
func program(b *testing.B, backend engine.Backend, batch int, name string, width float64) *engine.Program {
	image := graph.Shape{H: 28, W: 28, C: 1}
	g, err := nets.Build(name, nets.Options{Input: image, Width: width, Classes: 10})
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
