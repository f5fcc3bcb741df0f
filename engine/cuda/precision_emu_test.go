//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

func TestPrecision(t *testing.T) {
	d := emu.Open(kernels.Shuffled)
	for _, p := range []Precision{Float32, TF32, BFloat16} {
		t.Run("plain "+string(p), func(t *testing.T) { checkPlain(t, d, Options{Precision: p}) })
		for _, v := range variants {
			t.Run(string(p)+" "+string(v), func(t *testing.T) { checkPrecision(t, variant(t, d, p, v)) })
			t.Run("norm "+string(p)+" "+string(v), func(t *testing.T) { checkNorm(t, variant(t, d, p, v)) })
		}
	}
	t.Run("plain in bf16", func(t *testing.T) { checkPlain(t, d, Options{Precision: BFloat16, Storage: engine.BFloat16}) })
	for _, v := range variants {
		t.Run("in bf16 "+string(v), func(t *testing.T) { checkPrecision(t, inBFloat16(t, d, v)) })
		t.Run("masked in bf16 "+string(v), func(t *testing.T) { checkMasked(t, inBFloat16(t, d, v)) })
		t.Run("norm in bf16 "+string(v), func(t *testing.T) { checkNorm(t, inBFloat16(t, d, v)) })
	}
	require.NoError(t, d.Close())
}
