package cuda

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The device is held for longer until the host is ahead of it all the time, for no
// longer than that takes, and not at all where the host computes itself.
func TestHold(t *testing.T) {
	const us = int64(time.Microsecond)
	h := hold{forNS: 100 * us}
	require.False(t, h.late([]int64{10 * us, 100 * us}, []int64{0, 5 * us}))
	require.True(t, h.late([]int64{10 * us, 101 * us}, []int64{0, 5 * us}), "the second call was queued when the first was done")
	require.EqualValues(t, 202*us, h.forNS)
	require.False(t, h.late([]int64{30 * us, 250 * us}, []int64{200 * us, 5 * us}), "the host was still queueing, but ahead")
	require.EqualValues(t, 100*us, h.forNS, "twice as long as that took")
	require.False(t, h.late([]int64{20 * us, 90 * us, 200 * us}, []int64{20 * us, 110 * us, 0}))
	require.True(t, h.late([]int64{20 * us, 90 * us, 251 * us}, []int64{20 * us, 100 * us, 400 * us}), "how long it waited for a call does not make up for it")
	require.False(t, h.late([]int64{mostHeld.Nanoseconds() + 1}, []int64{1}), "an emulation")
	require.Negative(t, h.forNS)
	require.False(t, h.late([]int64{time.Hour.Nanoseconds()}, []int64{1}))
	require.NoError(t, h.launch(nil, 1), "nothing is launched")
}
