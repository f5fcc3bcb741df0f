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
	require.NoError(t, d.Close())
}
