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
	checkPrecisions(t, d)
	require.NoError(t, d.Close())
}
