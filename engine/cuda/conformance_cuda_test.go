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

// TestDevice runs every call on the machine's first GPU, in every precision and every
// variant; with -short, whose driver is an emulated one, in as many as its path takes.
func TestDevice(t *testing.T) {
	d := firstGPU(t)
	t.Run("fp32", func(t *testing.T) { enginetest.Run(t, backend(t, d, Float32)) })
	if testing.Short() {
		t.Run("in bf16 large", func(t *testing.T) { checkPrecision(t, in(t, d, engine.BFloat16, Large), precisionConvs) })
		t.Run("in bf16 warpgroup", func(t *testing.T) { checkPrecision(t, in(t, d, engine.BFloat16, Warpgroup), precisionConvs) })
		t.Run("norm tf32 large", func(t *testing.T) { checkNorm(t, variant(t, d, TF32, Large), normConvs) })
		t.Run("masked fp16 small", func(t *testing.T) { checkMasked(t, variant(t, d, Float16, Small), maskedConvs) })
		t.Run("images", func(t *testing.T) { checkImages(t, backend(t, d, Float32)) })
		t.Run("bytes", func(t *testing.T) { checkBytes(t, backend(t, d, Float32)) })
		t.Run("programs", func(t *testing.T) { enginetest.RunPrograms(t, backend(t, d, Float32)) })
		return
	}
	checkPrecisions(t, d)
	t.Run("programs", func(t *testing.T) { checkPrograms(t, d) })
	for _, p := range precisions {
		for _, v := range variants {
			t.Run("masked "+string(p)+" "+string(v), func(t *testing.T) { checkMasked(t, variant(t, d, p, v), maskedConvs) })
		}
	}
	for _, s := range narrow {
		t.Run("in "+s.String(), func(t *testing.T) { enginetest.Run(t, in(t, d, s, Chosen)) })
		t.Run("images in "+s.String(), func(t *testing.T) { checkImages(t, in(t, d, s, Chosen)) })
		t.Run("bytes in "+s.String(), func(t *testing.T) { checkBytes(t, in(t, d, s, Chosen)) })
	}
	t.Run("scaled fp16", func(t *testing.T) { checkScaling(t, backend(t, d, Float16)) })
	t.Run("scaled in fp16", func(t *testing.T) { checkScaling(t, in(t, d, engine.Float16, Chosen)) })
	t.Run("masked network", func(t *testing.T) { checkMaskedProgram(t, backend(t, d, Float32)) })
	t.Run("masked filter", func(t *testing.T) { checkMaskFilter(t, backend(t, d, Float32)) })
	t.Run("images", func(t *testing.T) { checkImages(t, backend(t, d, Float32)) })
	t.Run("bytes", func(t *testing.T) { checkBytes(t, backend(t, d, Float32)) })
}
