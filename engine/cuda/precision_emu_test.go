//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

func TestPrecision(t *testing.T) {
	d := emu.Open(kernels.Shuffled)
	for _, p := range precisions {
		t.Run("plain "+string(p), func(t *testing.T) { checkPlain(t, d, Options{Precision: p}) })
		for _, v := range variants {
			t.Run(string(p)+" "+string(v), func(t *testing.T) { checkPrecision(t, variant(t, d, p, v)) })
			t.Run("norm "+string(p)+" "+string(v), func(t *testing.T) { checkNorm(t, variant(t, d, p, v)) })
		}
	}
	for _, s := range narrow {
		t.Run("rounding to "+s.String(), func(t *testing.T) { checkRounding(t, in(t, d, s, Chosen)) })
		t.Run("plain in "+s.String(), func(t *testing.T) { checkPlain(t, d, Options{Precision: Precision(s.String()), Storage: s}) })
		for _, v := range variants {
			t.Run("in "+s.String()+" "+string(v), func(t *testing.T) { checkPrecision(t, in(t, d, s, v)) })
			t.Run("masked in "+s.String()+" "+string(v), func(t *testing.T) { checkMasked(t, in(t, d, s, v)) })
			t.Run("norm in "+s.String()+" "+string(v), func(t *testing.T) { checkNorm(t, in(t, d, s, v)) })
		}
	}
	require.NoError(t, d.Close())
}
