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
	for _, p := range []Precision{TF32, BFloat16} {
		t.Run(string(p), func(t *testing.T) { checkPrecision(t, backend(t, d, p)) })
	}
	require.NoError(t, d.Close())
}
