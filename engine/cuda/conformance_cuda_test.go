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
	enginetest.Run(t, New(d))
}
