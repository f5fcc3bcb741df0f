package cuda

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The device is held for longer until the host is done in time, and not at all
// where the host computes itself.
func TestHold(t *testing.T) {
	h := hold{forNS: 100e3}
	require.False(t, h.late(100*time.Microsecond))
	require.True(t, h.late(101*time.Microsecond))
	require.EqualValues(t, 202e3, h.forNS)
	require.False(t, h.late(202*time.Microsecond))
	require.False(t, h.late(mostHeld+1), "an emulation")
	require.Negative(t, h.forNS)
	require.False(t, h.late(time.Hour))
	require.NoError(t, h.launch(nil, 1), "nothing is launched")
}
