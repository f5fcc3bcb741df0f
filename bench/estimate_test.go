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

// What a row costs is foretold from two calls: as many rounds as its rule asks for,
// of its copies and of its layer's largest.
func TestSpeed(t *testing.T) {
	var s speed
	c := conv(8, 8)
	s.learn(c, int64(3*size(c)), int64(3*size(c)*2*(copies+1)+5*size(c)))
	assert.Equal(t, float64(3*size(c)), s.latencyNS(c))
	rule := Rule{WarmUpNS: 100, MinSamples: 2 * copies, MinTotalNS: 1}
	assert.Equal(t, float64(5*size(c)+100+3*3*size(c)*(copies+1)), s.costNS(rule, c, c), "three rounds, one of them to warm up")
	rule.MinTotalNS = int64(12 * size(c) * copies) // four rounds of samples
	assert.Equal(t, float64(5*size(c)+100+5*3*size(c)*(copies+1)), s.costNS(rule, c, c))
}
