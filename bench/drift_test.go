package bench

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// rowsOn measures a layer on a device whose clock is told by mhz, as a table does; it
// says how long that took, by the device.
func rowsOn(t *testing.T, calls []engine.Call, mhz func(time.Duration) float64) ([]Row, time.Duration) {
	s, _ := watched(func(at time.Time) float64 { return mhz(since(at)) })
	s.rule.WarmUpNS = 20e6
	var rows []Row
	for _, group := range coarseFirst(calls, 8) {
		measured, err := s.measure(context.Background(), group, largest(calls)[layer(group[0])])
		require.NoError(t, err)
		rows = append(rows, measured...)
	}
	return rows, since(s.now())
}

// The medians of a device that gets slower by three percent while it is measured do so,
// and each row says at which clock; tied to the network they do not.
func TestClockThatDrifts(t *testing.T) {
	calls := grid(12)
	steady, took := rowsOn(t, calls, func(time.Duration) float64 { return 2000 })
	drifted, _ := rowsOn(t, calls, func(at time.Duration) float64 { return 2000 * (1 - 0.03*at.Seconds()/took.Seconds()) })
	reference := calls[len(calls)-1].String()
	inNetwork := map[string]int64{reference: 1e6}
	want, got := Tie(steady, inNetwork), Tie(drifted, inNetwork)
	farthest := 0.0
	for i, r := range drifted {
		require.Equal(t, steady[i].Key, r.Key)
		require.Equal(t, reference, r.Reference)
		require.InEpsilon(t, want[r.Key], got[r.Key], 0.012, r.Key)
		const overheadNS = 700 // of the instrument, which no clock changes
		slower := float64(r.MedianNS-overheadNS) / float64(steady[i].MedianNS-overheadNS)
		farthest = max(farthest, slower)
		require.InDelta(t, 2000/float64(r.ClockMHz), slower, 0.006, "it says why")
	}
	require.Greater(t, farthest, 1.015)
	clocks := func(a, b Row) int { return a.ClockMHz - b.ClockMHz }
	require.Less(t, slices.MinFunc(drifted, clocks).ClockMHz, 1950)
	require.Greater(t, slices.MaxFunc(drifted, clocks).ClockMHz, 1985)
}

// A device that throttles in bursts has the rows of one that does not.
func TestClockThatThrottlesInBursts(t *testing.T) {
	calls := grid(12)
	steady, _ := rowsOn(t, calls, func(time.Duration) float64 { return 2000 })
	burst, _ := rowsOn(t, calls, func(at time.Duration) float64 {
		if at%(80*time.Millisecond) > 60*time.Millisecond {
			return 1200
		}
		return 2000
	})
	discarded := 0
	for i, r := range burst {
		require.Equal(t, steady[i].MedianNS, r.MedianNS, r.Key)
		require.Equal(t, steady[i].ReferenceNS, r.ReferenceNS, r.Key)
		require.Equal(t, 2000, r.ClockMHz)
		discarded += r.Discarded
	}
	require.Positive(t, discarded)
}
