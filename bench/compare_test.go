package bench

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func rowOf(key string, samples ...int64) Row { return Row{Key: key, Result: Summarise(samples)} }

func TestCompare(t *testing.T) {
	steady := func(ns int64) []int64 { return []int64{ns, ns, ns, ns, ns, ns} }
	a := []Row{rowOf("d", steady(1000)...), rowOf("a", steady(1000)...), rowOf("b", steady(1000)...), rowOf("c", steady(1000)...), rowOf("mine", 1)}
	b := []Row{rowOf("a", steady(1009)...), rowOf("b", steady(900)...), rowOf("c", steady(1020)...), rowOf("d", 900, 950, 990, 1010, 1050, 1100), rowOf("theirs", 1), rowOf("theirs too", 1)}
	c := Compare(a, b, 0.01)
	var verdicts []Verdict
	for _, r := range c.Rows {
		verdicts = append(verdicts, r.Verdict)
	}
	assert.Equal(t, []Verdict{Same, Faster, Slower, Unclear}, verdicts, "in the order of keys")
	assert.Equal(t, map[Verdict]int{Same: 1, Faster: 1, Slower: 1, Unclear: 1}, c.Counts)
	assert.Equal(t, [2]int{1, 2}, c.Only)
	assert.InDelta(t, 0.5, c.Agree, 1e-12)
	assert.Equal(t, "b", c.Farthest()[0].Key)
	assert.InDelta(t, 0.9, c.Farthest()[0].Ratio, 1e-12)

	back := Compare(b, a, 0.01)
	assert.Equal(t, Slower, back.Rows[1].Verdict, "what is faster one way is slower the other")
	assert.InDelta(t, 1, c.Ratio*back.Ratio, 1e-12)
	assert.Empty(t, Compare(nil, b, 0.01).Rows)
}

// A timer of coarse ticks tells nothing finer, however often it is read.
func TestCompareWithinTheTimersTick(t *testing.T) {
	ticks := func(share int) (samples []int64) { // of 1000, how many are 330 or 331 ns, the others 340 or 341
		for i := range 1000 {
			samples = append(samples, 341-10*int64(min(1, max(0, share-i)))-int64(i%2))
		}
		return samples
	}
	assert.Equal(t, Unclear, compareRows(rowOf("k", ticks(100)...), rowOf("k", ticks(900)...), 0.01).Verdict)
	assert.Equal(t, Same, compareRows(rowOf("k", ticks(100)...), rowOf("k", ticks(200)...), 0.05).Verdict)
}

// The interval of a ratio covers the true one about as often as it says, and so a
// verdict of faster or slower on two that are the same is rare.
func TestIntervalOfRatioCovers(t *testing.T) {
	r := seeded(t)
	const trials = 4000
	for name, draw := range map[string]func(*rand.Rand) int64{
		"normal": func(r *rand.Rand) int64 { return int64(1e6 + 3e4*r.NormFloat64()) },
		"interrupted": func(r *rand.Rand) int64 {
			if r.IntN(10) == 0 {
				return int64(3e6 * r.ExpFloat64())
			}
			return int64(1e6 + 1e4*r.ExpFloat64())
		},
	} {
		covered, wrong := 0, 0
		for range trials {
			x, y := make([]int64, 20), make([]int64, 50)
			for i := range x {
				x[i] = draw(r)
			}
			for i := range y {
				y[i] = draw(r)
			}
			c := compareRows(rowOf("k", x...), rowOf("k", y...), 0.001)
			if c.Low <= 1 && 1 <= c.High {
				covered++
			}
			if c.Verdict == Faster || c.Verdict == Slower {
				wrong++
			}
		}
		assert.Greater(t, float64(covered)/trials, 0.94, name)
		assert.Less(t, float64(covered)/trials, 0.995, name)
		assert.Less(t, float64(wrong)/trials, 0.06, name)
	}
}
