package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSummarise(t *testing.T) {
	for _, c := range []struct {
		samples           []int64
		median, low, high int64
	}{
		{[]int64{7}, 7, 7, 7},
		{[]int64{9, 4}, 6, 4, 9},
		{[]int64{5, 1, 3}, 3, 1, 5},
		{[]int64{6, 1, 5, 2, 4, 3}, 3, 1, 6},
		{[]int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 5, 2, 9}, // ranks 2 and 9: 97.9 %
		{[]int64{math.MaxInt64, math.MaxInt64}, math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		r := Summarise(c.samples)
		assert.Equal(t, [3]int64{c.median, c.low, c.high}, [3]int64{r.MedianNS, r.LowNS, r.HighNS}, "%v", c.samples)
		assert.Equal(t, c.samples, r.SamplesNS, "raw order is kept")
	}
	assert.Zero(t, Summarise([]int64{0, 0}).RSD)
	assert.InDelta(t, math.Sqrt2/3, Summarise([]int64{2, 4}).RSD, 1e-12)
}

// The published ranks of the 95 % interval (Conover, Practical Nonparametric
// Statistics, table A3 gives the binomial they come from).
func TestMedianRank(t *testing.T) {
	for n, k := range map[int]int{1: 1, 5: 1, 6: 1, 8: 1, 9: 2, 10: 2, 20: 6, 50: 18, 100: 40} {
		assert.Equal(t, k, medianRank(n), "n = %d", n)
	}
}

// The interval covers the true median at least as often as it says, whatever
// the distribution, and not much more often.
func TestIntervalCovers(t *testing.T) {
	const trials = 4000
	for name, d := range map[string]struct {
		draw   func(*rand.Rand) float64
		median float64
	}{
		"normal":      {func(r *rand.Rand) float64 { return 1e6 + 1e5*r.NormFloat64() }, 1e6},
		"exponential": {func(r *rand.Rand) float64 { return 1e6 * r.ExpFloat64() }, 1e6 * math.Ln2},
		"uniform":     {func(r *rand.Rand) float64 { return 1e6 * r.Float64() }, 5e5},
		"outliers": {func(r *rand.Rand) float64 { // a fifth of the samples interrupted
			x := 1e6 * r.Float64()
			if r.IntN(5) == 0 {
				return x + 1e9
			}
			return x
		}, 1e6 * 0.5 / 0.8},
	} {
		t.Run(name, func(t *testing.T) {
			r := seeded(t)
			for _, n := range []int{10, 31, 200} {
				k := float64(medianRank(n))
				covered := 0
				for range trials {
					x := make([]int64, n)
					for i := range x {
						x[i] = int64(d.draw(r))
					}
					if s := Summarise(x); float64(s.LowNS) <= d.median && d.median <= float64(s.HighNS) {
						covered++
					}
				}
				got := float64(covered) / trials
				assert.Greater(t, got, 0.94, "n = %d, rank %v", n, k)
				assert.Less(t, got, 0.985, "n = %d, rank %v", n, k)
			}
		})
	}
}

// A coarse timer does not round a latency: a call that takes ten ticks and a third
// has samples of ten and of eleven, and its interval covers what it really takes.
func TestBetweenTicks(t *testing.T) {
	const tick, trials = 500, 2000
	r := seeded(t)
	for _, trueNS := range []float64{5000, 5050, 5170, 5250, 5490, 128_333} {
		for _, jitter := range []float64{0.003, 0.03} { // of the latency
			for _, n := range []int{9, 33, 120} {
				covered, off := 0, 0.0
				for range trials {
					x := make([]int64, n)
					for i := range x {
						begun := 1e9 + 1e6*r.Float64()
						ended := begun + trueNS*(1+jitter*r.NormFloat64())
						if r.IntN(300) == 0 {
							ended += 3e4 // interrupted
						}
						x[i] = int64(ended/tick)*tick - int64(begun/tick)*tick
					}
					s := Summarise(x)
					off += float64(s.MedianNS) - trueNS
					if float64(s.LowNS) <= trueNS && trueNS <= float64(s.HighNS) || s.LowNS == s.HighNS {
						covered++ // where all are alike, nothing says that there are ticks
					}
				}
				name := fmt.Sprintf("%.0f ns ± %g, %d samples", trueNS, jitter, n)
				assert.Greater(t, float64(covered)/trials, 0.93, name)
				assert.InDelta(t, 0, off/trials, 0.1*tick+0.003*jitter*trueNS*float64(n), "%s: bias", name)
			}
		}
	}
	fine := Summarise([]int64{5001, 5011, 5023, 5030, 5042, 5054, 5069, 5071, 5083})
	assert.EqualValues(t, 5042, fine.MedianNS, "no ticks, the median")
}
