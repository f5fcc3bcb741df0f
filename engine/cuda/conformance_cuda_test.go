//go:build cuda

package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/cu"
	"mdp/engine/enginetest"
)

// TestDevice runs every call on the machine's first GPU.
func TestDevice(t *testing.T) {
	d, err := cu.Open(0)
	if errors.Is(err, cu.ErrNoDevice) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	t.Run("float32", func(t *testing.T) { enginetest.Run(t, backend(t, d, Float32)) })
	for _, p := range []Precision{TF32, BFloat16} {
		t.Run(string(p), func(t *testing.T) { checkPrecision(t, backend(t, d, p)) })
	}
}
