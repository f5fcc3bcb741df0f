package engine_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/enginetest"
	"mdp/engine/graph"
)

func TestChunkList(t *testing.T) {
	require.Equal(t, []float32{2, 1, 3, 0, 2}, engine.ChunkList([]bool{false, true, false, true}))
	require.Equal(t, []float32{0, 0}, engine.ChunkList([]bool{false}))
	require.Equal(t, []float32{1, 0}, engine.ChunkList([]bool{true}))
}

// A network under a mask computes what it computes with zeros in the same places: its
// logits to the bit, its gradients, whose statistics may be summed in another order,
// nearly, and how it learns. What is masked stays zero.
func TestMaskedProgram(t *testing.T) {
	const chunk, n = 8, 3
	for name, g := range small(t) {
		if name == "gates" {
			continue // a sigmoid makes ½ of a channel that is zero
		}
		t.Run(name, func(t *testing.T) {
			w := graph.InitWeights(g, 3)
			on := enginetest.Silence(g, w, chunk)
			images, labels := batch(g, n, 1)
			var infer [2]engine.Metrics
			var learned [2]graph.Weights
			for i, o := range []engine.Options{{Batch: n}, {Batch: n, MaskChunk: chunk}} {
				o.Mode = engine.Infer
				p, err := engine.Compile(g, backend(t, 2), o)
				require.NoError(t, err)
				require.NoError(t, p.SetWeights(w))
				if o.MaskChunk > 0 {
					require.NoError(t, p.SetMask(on))
				}
				infer[i], err = p.Evaluate(images, labels)
				require.NoError(t, err)
				require.NoError(t, p.Close())

				o.Mode = engine.Train
				p, err = engine.Compile(g, backend(t, 2), o)
				require.NoError(t, err)
				require.NoError(t, p.SetWeights(w))
				if o.MaskChunk > 0 {
					require.NoError(t, p.SetMask(on))
				}
				_, err = p.Gradient(images, labels)
				require.NoError(t, err)
				learned[i], err = p.Gradients()
				require.NoError(t, err)
				if o.MaskChunk > 0 {
					_, err = p.Step(images, labels, engine.Hyper{LearningRate: 0.1, Momentum: 0.9, WeightDecay: 1e-3})
					require.NoError(t, err)
					after, err := p.Weights()
					require.NoError(t, err)
					moved := 0
					for _, q := range g.Params() {
						flags := on[g.Node(q.Node).Name]
						d, before := after.Data(q.Name), w.Data(q.Name)
						for j, v := range d {
							if q.Role.Learned() && !flags[j*q.Shape[0]/len(d)] {
								require.Zero(t, v, "%s[%d]", q.Name, j)
							} else if v != before[j] {
								moved++
							}
						}
					}
					require.Positive(t, moved)
				}
				require.NoError(t, p.Close())
			}
			require.Equal(t, infer[0], infer[1])
			for _, q := range g.Params() {
				if !q.Role.Learned() {
					continue
				}
				flags := on[g.Node(q.Node).Name]
				want, got := learned[0].Data(q.Name), learned[1].Data(q.Name)
				largest := 0.0
				for _, v := range want {
					largest = max(largest, math.Abs(float64(v)))
				}
				for j := range want {
					if flags[j*q.Shape[0]/len(want)] && q.Role != graph.RoleFilter {
						require.True(t, math.Abs(float64(want[j]-got[j])) <= 1e-5+1e-3*largest, "gradient of %s[%d] is %g, not %g", q.Name, j, got[j], want[j])
					}
				}
			}
		})
	}
}

func TestSetMaskRefuses(t *testing.T) {
	g := network(t, "resnet8-cifar", 9, 0.5)
	p, err := engine.Compile(g, backend(t, 1), engine.Options{Mode: engine.Infer, Batch: 1, MaskChunk: 8})
	require.NoError(t, err)
	require.ErrorContains(t, p.SetMask(map[string][]bool{"conv1": {true}}), "mask of conv1: 1 channels, it has 8")
	require.ErrorContains(t, p.SetMask(map[string][]bool{"conv9": {true}}), "conv9")
	require.NoError(t, p.Close())
	p = train(t, g, 1, 1)
	require.ErrorContains(t, p.SetMask(nil), "compiled without masks")
}
