package prune

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// TestFoldedModelGetsItsNormsBack: as many as it had, with which it computes the
// same, each with the statistics of what the convolution before it gives.
func TestFoldedModelGetsItsNormsBack(t *testing.T) {
	c := quick()
	c.Weights = filepath.Join(t.TempDir(), "model")
	g, err := nets.Build(c.Net, nets.Options{Classes: 10, Input: graph.Shape{H: 28, W: 28, C: 1}, Width: c.Width})
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range g.Params() {
		if p.Role == graph.RoleRunningMean || p.Role == graph.RoleBeta {
			for i := range w.Data(p.Name) {
				w.Data(p.Name)[i] = float32(r.NormFloat64())
			}
		}
	}
	folded, fill, err := graph.Fold(g, w)
	require.NoError(t, err)
	fw := graph.Weights{}
	for _, p := range folded.Params() {
		fw[p.Name] = graph.NewTensor(p.Shape...)
		fill(fw.Data(p.Name), p)
	}
	require.NoError(t, WriteModel(c.Weights, folded, fw, nil))

	p, _, err := stages(t, t.TempDir(), c, StageTrain)
	require.NoError(t, err)
	require.NoError(t, p.openDevice())
	defer p.Close()
	u, uw, err := ReadModel(p.dir)
	require.NoError(t, err)
	require.Equal(t, g.ParamCount(), u.ParamCount())

	const n = 64
	require.NoError(t, p.readyFor(u))
	p.Config.LatencyBatch = n
	images, err := p.testImages(u.Shape(0))
	require.NoError(t, err)
	infer := func(g *graph.Graph, w graph.Weights) []float32 {
		program, err := engine.Compile(g, p.Backend, engine.Options{Mode: engine.Infer, Batch: n})
		require.NoError(t, err)
		defer program.Close()
		require.NoError(t, program.SetWeights(w))
		out := make([]float32, n*g.Shape(g.Len()-1).Size())
		require.NoError(t, program.Infer(out, images))
		return out
	}
	want, have := infer(folded, fw), infer(u, uw)
	for i := range want {
		require.True(t, math.Abs(float64(want[i]-have[i])) <= 1e-4*(1+math.Abs(float64(want[i]))), "%g, not %g", have[i], want[i])
	}

	first, err := graph.New("first", folded.Nodes()[:2])
	require.NoError(t, err)
	conv := first.Node(1).Name
	out := infer(first, graph.Weights{conv + ".weight": fw[conv+".weight"], conv + ".bias": fw[conv+".bias"]})
	channels := first.Shape(1).C
	for k := range channels {
		var sum, squares float64
		for i := k; i < len(out); i += channels {
			sum, squares = sum+float64(out[i]), squares+float64(out[i])*float64(out[i])
		}
		pixels := float64(len(out) / channels)
		mean := sum / pixels
		deviation := math.Sqrt(squares/pixels - mean*mean)
		assert.InDelta(t, mean, uw.Data(conv + ".norm.bias")[k], 0.1*deviation, "of other images")
		assert.InEpsilon(t, deviation, uw.Data(conv + ".norm.weight")[k], 0.1)
	}
}
