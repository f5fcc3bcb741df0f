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
	t.Run("shuffled", func(t *testing.T) { enginetest.Run(t, New(devices[kernels.Shuffled])) })
	t.Run("any order", func(t *testing.T) {
		enginetest.RunIdentical(t, New(devices[kernels.Ascending]), New(devices[kernels.Descending]))
	})
	for _, d := range devices {
		require.NoError(t, d.Close(), "memory is freed")
	}
}
