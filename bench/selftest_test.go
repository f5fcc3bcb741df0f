package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

func TestSelfTest(t *testing.T) {
	even := drifting{mhz: func(time.Time) float64 { return 1600 }, time: &fakeClock{at: time.Unix(0, 0)}}
	var steps []int
	got, err := Test(context.Background(), even, func(done, total int) { steps = append(steps, done) })
	require.NoError(t, err)
	assert.Equal(t, []int{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, steps)
	assert.EqualValues(t, 700, got.EmptyNS.MedianNS)
	assert.InDelta(t, 1600, got.ClockMHz, 0.1)
	bias, spread := got.Bias()
	assert.Less(t, bias, 1e-4)
	assert.Zero(t, spread)
	assert.Equal(t, 70*time.Microsecond, got.Shortest(0.01))
	last := got.Probes[len(got.Probes)-1]
	assert.EqualValues(t, 4*32<<20, last.Bytes)
	assert.InDelta(t, float64(last.Bytes)/float64(last.MedianNS), last.GBPS, 1e-9)

	// An instrument that stops counting is found out, and so is a clock that wanders.
	got, err = Test(context.Background(), saturating{even}, nil)
	require.NoError(t, err)
	bias, _ = got.Bias()
	assert.Greater(t, bias, 0.05)
	wandering := even
	wandering.mhz = func(at time.Time) float64 { return 1600 + 200*float64(since(at)/(time.Second/2)%2) }
	got, err = Test(context.Background(), wandering, nil)
	require.NoError(t, err)
	_, spread = got.Bias()
	assert.InDelta(t, 0.06, spread, 0.03)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Test(ctx, even, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// saturating is an instrument that counts no further than half a millisecond.
type saturating struct{ drifting }

func (s saturating) Prepare(p *engine.Plan) (engine.Executor, error) {
	e, err := s.drifting.Prepare(p)
	return saturatingExecutor{e}, err
}

type saturatingExecutor struct{ engine.Executor }

func (e saturatingExecutor) Time(latencyNS []int64) error {
	err := e.Executor.Time(latencyNS)
	for i := range latencyNS {
		latencyNS[i] = min(latencyNS[i], 500e3)
	}
	return err
}
