//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

func TestImages(t *testing.T) {
	d := emu.Open(kernels.Shuffled)
	checkImages(t, backend(t, d, Float32))
	checkBytes(t, backend(t, d, Float32))
	for _, s := range narrow {
		checkImages(t, in(t, d, s, Chosen))
		checkBytes(t, in(t, d, s, Chosen))
	}
	require.NoError(t, d.Close())
}
