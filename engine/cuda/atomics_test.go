//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

// Where atomics are allowed, parts of a weight gradient need no room of their own and
// add up to the same but for the order.
func TestAtomics(t *testing.T) {
	one := [2]int{1, 1}
	g := engine.Conv{N: 5, H: 16, W: 16, C: 16, K: 8, R: 3, S: 3, P: 16, Q: 16, Stride: one, Pad: one, Dilation: one, Groups: 1}
	one1 := engine.Conv{N: 5, H: 16, W: 16, C: 16, K: 8, R: 1, S: 1, P: 16, Q: 16, Stride: one, Dilation: one, Groups: 1}
	gradients := map[kernels.Order][]float32{}
	for _, o := range []kernels.Order{kernels.Ascending, kernels.Descending} {
		d := emu.Open(o)
		b, err := New(d, Options{Atomics: true})
		require.NoError(t, err)
		require.Equal(t, "sm_00 atomics", engine.Info{ISA: "sm_00", Precision: b.Info().Precision, Atomics: b.Info().Atomics}.Arithmetic())
		for _, v := range variants {
			b.variant = v
			for _, g := range []engine.Conv{g, one1} {
				c := engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3}
				require.Positive(t, backend(t, d, Float32).Workspace(c), "the sum is split")
				require.Zero(t, b.Workspace(c))
				assert.Zero(t, deviation(t, b, c, true), "%s on integers", v)
				assert.LessOrEqual(t, deviation(t, b, c, false), allowed[Float32], v)
				gradients[o], _ = compute(t, b, c, false)
			}
		}
		require.NoError(t, d.Close())
	}
	require.NotEqual(t, gradients[kernels.Ascending], gradients[kernels.Descending], "are these atomics?")
}
