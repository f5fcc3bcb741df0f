//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/emu"
	"mdp/engine/enginetest"
	"mdp/kernels"
)

// TestConformance runs every call on the emulated device. That the order of
// threads and what shared memory held make no difference says that no kernel
// lacks a barrier or reads what it has not written.
func TestConformance(t *testing.T) {
	devices := map[kernels.Order]*emu.Device{}
	for _, o := range []kernels.Order{kernels.Ascending, kernels.Descending, kernels.Shuffled} {
		devices[o] = emu.Open(o)
	}
	t.Run("shuffled", func(t *testing.T) { enginetest.Run(t, backend(t, devices[kernels.Shuffled], Float32)) })
	for _, s := range narrow {
		t.Run("in "+s.String(), func(t *testing.T) { enginetest.Run(t, in(t, devices[kernels.Shuffled], s, Chosen)) })
	}
	t.Run("programs", func(t *testing.T) { checkPrograms(t, devices[kernels.Shuffled]) })
	for _, p := range precisions[:3] { // the kernels of fp16 are those of bf16 but for how they round
		t.Run(string(p)+" in any order", func(t *testing.T) {
			enginetest.RunIdentical(t, backend(t, devices[kernels.Ascending], p), backend(t, devices[kernels.Descending], p))
		})
	}
	for _, d := range devices {
		require.NoError(t, d.Close(), "memory is freed")
	}
}
