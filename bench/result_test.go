package bench

import (
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
