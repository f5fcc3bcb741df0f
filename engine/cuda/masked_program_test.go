//go:build cuda || emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// checkMaskedProgram runs a network under a mask as the processor runs it, and times it
// call by call: what the mask would cost, with nothing cut out.
func checkMaskedProgram(t *testing.T, b *Backend) {
	const n, chunk = 2, 8
	g, err := nets.Build("resnet8-cifar", nets.Options{Classes: 4, Input: graph.Shape{H: 8, W: 8, C: 3}})
	require.NoError(t, err)
	on := map[string][]bool{}
	for i := 1; i < g.Len()-1; i++ {
		flags := make([]bool, g.Shape(i).C)
		for c := range flags {
			flags[c] = c/chunk%2 == 0
		}
		on[g.Node(i).Name] = flags
	}
	processor, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	images := make([]float32, n*g.Shape(0).Size())
	for i := range images {
		images[i] = float32(i%17)/8 - 1
	}
	var logits [2][]float32
	for i, b := range []engine.Backend{processor, b} {
		p, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: n, MaskChunk: chunk})
		require.NoError(t, err)
		require.NoError(t, p.SetWeights(graph.InitWeights(g, 1)))
		require.NoError(t, p.SetMask(on))
		logits[i] = make([]float32, 4*n)
		require.NoError(t, p.Infer(logits[i], images))
		latencyNS := make([]int64, len(p.Plan().Calls))
		require.NoError(t, p.Time(latencyNS))
		for j, c := range p.Plan().Calls {
			require.Positive(t, latencyNS[j], "%v", c)
		}
		require.NoError(t, p.Close())
	}
	require.InDeltaSlice(t, logits[0], logits[1], 1e-4)
}
