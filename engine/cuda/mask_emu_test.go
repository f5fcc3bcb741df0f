//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

func TestMasked(t *testing.T) {
	d := emu.Open(kernels.Shuffled)
	for _, p := range precisions {
		for _, v := range variants {
			t.Run(string(p)+" "+string(v), func(t *testing.T) { checkMasked(t, variant(t, d, p, v), maskedConvs) })
		}
	}
	t.Run("filter", func(t *testing.T) { checkMaskFilter(t, backend(t, d, Float32)) })
	t.Run("network", func(t *testing.T) { checkMaskedProgram(t, backend(t, d, Float32)) })
	require.NoError(t, d.Close())
}
