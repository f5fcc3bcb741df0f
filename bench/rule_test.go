package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRule(t *testing.T) {
	normal := func(rsd float64) func(*rand.Rand) int64 {
		return func(r *rand.Rand) int64 { return int64(1e6 * max(0, 1+rsd*r.NormFloat64())) }
	}
	for _, c := range []struct {
		name     string
		draw     func(*rand.Rand) int64
		change   func(*Rule)
		stop     Stop
		low, top int // samples
	}{
		{"steady", normal(0), func(*Rule) {}, Quiet, 20, 20}, // 20 ms of 1 ms
		{"steady and long", func(*rand.Rand) int64 { return 50e6 }, func(*Rule) {}, Quiet, 10, 10},
		{"quiet", normal(0.01), func(*Rule) {}, Quiet, 20, 30},
		{"noisy", normal(0.2), func(*Rule) {}, Plateau, 80, 600},
		{"noisy and long", normal(0.2), func(r *Rule) { r.TimeoutNS = 30e6 }, Timeout, 25, 36},
		{"never enough", normal(0.2), func(r *Rule) { r.PlateauSpread = 0 }, Full, 2048, 2048},
		{"one sample lasts for ever", func(*rand.Rand) int64 { return 60e9 }, func(*Rule) {}, Timeout, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, clock, rule := seeded(t), &fakeClock{}, CallRule()
			c.change(&rule)
			results, err := interleave(context.Background(), rule, []func() (int64, error){
				clock.sampler(func() int64 { return c.draw(r) }),
			}, clock.now)
			require.NoError(t, err)
			got := results[0]
			assert.Equal(t, c.stop, got.Stop)
			assert.GreaterOrEqual(t, len(got.SamplesNS), c.low)
			assert.LessOrEqual(t, len(got.SamplesNS), c.top)
		})
	}
}

func TestWarmUpIsThrownAway(t *testing.T) {
	clock, n := &fakeClock{}, 0
	results, err := interleave(context.Background(), CallRule(), []func() (int64, error){
		clock.sampler(func() int64 {
			n++
			if n <= 3 {
				return 1e6 * int64(10-n) // 9, 8, 7 ms: more than the warm-up's 3 ms at once
			}
			return 1e6
		}),
	}, clock.now)
	require.NoError(t, err)
	assert.Equal(t, int64(8e6), results[0].SamplesNS[0], "only the first sample was warm-up")
	assert.Equal(t, int64(1e6), results[0].MedianNS)
}

// Programs take turns, and the quiet one goes on as long as the noisy one needs.
func TestInterleave(t *testing.T) {
	r, clock, turns := seeded(t), &fakeClock{}, ""
	results, err := interleave(context.Background(), CallRule(), []func() (int64, error){
		clock.sampler(func() int64 { turns += "A"; return 1e6 }),
		clock.sampler(func() int64 { turns += "B"; return 1e6 + r.Int64N(1e6) }),
	}, clock.now)
	require.NoError(t, err)
	assert.Regexp(t, "^(AB)+$", turns)
	assert.Equal(t, Quiet, results[0].Stop)
	assert.Equal(t, Plateau, results[1].Stop)
	assert.Len(t, results[0].SamplesNS, len(results[1].SamplesNS))
}

func TestMeasureEnds(t *testing.T) {
	broken := errors.New("device lost")
	_, err := Measure(context.Background(), quick(), func() (int64, error) { return 0, broken })
	require.ErrorIs(t, err, broken)

	_, err = Measure(context.Background(), quick(), func() (int64, error) { return -1, nil })
	require.ErrorContains(t, err, "backwards")

	_, err = Measure(context.Background(), Rule{}, func() (int64, error) { return 1, nil })
	require.ErrorContains(t, err, "minSamples")

	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	_, err = Measure(ctx, quick(), func() (int64, error) {
		if n++; n == 3 {
			cancel()
		}
		return 1, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 3, n)
}
