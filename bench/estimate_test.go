package bench

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A table that has rows takes for each of the others what those took; a full one
// takes no time, and an empty one more for more.
func TestEstimate(t *testing.T) {
	calls := grid(4)
	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	estimate := func(n int) time.Duration {
		left, err := table.Estimate(context.Background(), fake{}, calls[:n])
		require.NoError(t, err)
		return left
	}
	assert.Positive(t, estimate(1))
	require.NoError(t, table.Measure(context.Background(), fake{}, calls[:4], nil))
	var costNS int64
	for _, r := range table.Rows() {
		costNS += r.CostNS
	}
	assert.Equal(t, time.Duration(costNS/4*12), estimate(16))
	assert.Zero(t, estimate(4))
}

// What a row costs is foretold from a few calls: as many rounds as its rule asks for,
// of its copies and of its layer's largest, and of writing what they read.
func TestSpeed(t *testing.T) {
	var s speed
	c := conv(8, 8)
	each := 3 * size(c)
	round := 2 * each * (copies + 1) // the writing taken to be as long
	s.learn(c, int64(each), int64(3*round+5*size(c)))
	assert.Equal(t, float64(each), s.latencyNS(c))
	rule := Rule{WarmUpNS: 100, MinSamples: 2 * copies, MinTotalNS: 1}
	assert.Equal(t, float64(5*size(c)+100+4*round), s.costNS(rule, c, c), "two rounds, one to touch all and one to warm up")
	rule.MinTotalNS = int64(4 * each * copies) // four rounds of samples
	assert.Equal(t, float64(5*size(c)+100+6*round), s.costNS(rule, c, c))
	rule.MinClock, rule.MinTotalNS = 0.75, 1
	assert.Equal(t, float64(5*size(c)+(1+steadyLaps)*round), s.costNS(rule, c, c), "laps that show a steady clock are samples")

	small := conv(1, 1)
	s.learn(small, int64(100*size(small)), 1e6)
	assert.Equal(t, float64(each), s.latencyNS(c), "the fastest per element")
	assert.Less(t, s.costNS(rule, small, small), s.costNS(rule, c, c))

	// A large call whose rounds took as long as all of it, for the clock rose meanwhile, was
	// ready at once: a small one does not tell what readying a large one takes.
	s = speed{}
	s.learn(c, int64(each), 0)
	s.learn(small, int64(100*size(small)), 1e9)
	assert.Less(t, s.costNS(rule, c, c), 1.1e9)
}
