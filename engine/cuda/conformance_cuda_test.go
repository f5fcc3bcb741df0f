//go:build cuda

package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/cu"
	"mdp/engine/enginetest"
)

// firstGPU is the machine's first GPU; where there is none, the test is skipped.
func firstGPU(t *testing.T) *cu.Device {
	d, err := cu.Open(0)
	if errors.Is(err, cu.ErrNoDevice) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// TestDevice runs every call on the machine's first GPU.
func TestDevice(t *testing.T) {
	d := firstGPU(t)
	t.Run("fp32", func(t *testing.T) { enginetest.Run(t, backend(t, d, Float32)) })
	for _, p := range []Precision{Float32, TF32, BFloat16} {
		t.Run("plain "+string(p), func(t *testing.T) { checkPlain(t, d, Options{Precision: p}) })
		for _, v := range variants {
			t.Run(string(p)+" "+string(v), func(t *testing.T) { checkPrecision(t, variant(t, d, p, v)) })
			t.Run("norm "+string(p)+" "+string(v), func(t *testing.T) { checkNorm(t, variant(t, d, p, v)) })
			t.Run("masked "+string(p)+" "+string(v), func(t *testing.T) { checkMasked(t, variant(t, d, p, v)) })
		}
	}
	t.Run("in bf16", func(t *testing.T) { enginetest.Run(t, inBFloat16(t, d, Chosen)) })
	t.Run("plain in bf16", func(t *testing.T) { checkPlain(t, d, Options{Precision: BFloat16, Storage: engine.BFloat16}) })
	for _, v := range variants {
		t.Run("in bf16 "+string(v), func(t *testing.T) { checkPrecision(t, inBFloat16(t, d, v)) })
		t.Run("masked in bf16 "+string(v), func(t *testing.T) { checkMasked(t, inBFloat16(t, d, v)) })
		t.Run("norm in bf16 "+string(v), func(t *testing.T) { checkNorm(t, inBFloat16(t, d, v)) })
	}
	t.Run("masked network", func(t *testing.T) { checkMaskedProgram(t, backend(t, d, Float32)) })
	t.Run("masked filter", func(t *testing.T) { checkMaskFilter(t, backend(t, d, Float32)) })
	t.Run("images", func(t *testing.T) { checkImages(t, backend(t, d, Float32)) })
	t.Run("bytes", func(t *testing.T) { checkBytes(t, backend(t, d, Float32)) })
}
