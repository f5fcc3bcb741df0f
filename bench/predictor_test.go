package bench

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// Networks that obey the formula are fitted exactly, and predicted by each other.
func TestFitFindsTheFormula(t *testing.T) {
	r := seeded(t)
	const gap, factor = 300, 1.25
	truth := map[string]Correction{"conv": {FixedNS: 400, Scale: 0.8}, "conv 1x1": {FixedNS: 0, Scale: 1.5}, "add": {FixedNS: 1000}}
	tied := map[string]int64{}
	var networks []Observed
	for range 5 {
		var n Observed
		sum := 0.0
		for _, kind := range slices.Sorted(maps.Keys(truth)) {
			k := truth[kind]
			for range 4 + r.IntN(5) {
				key := kind + string(rune('a'+r.IntN(26)))
				tied[key] = 1000 * int64(1+key[len(key)-1]-'a')
				n.Calls = append(n.Calls, ObservedCall{key, kind, int64(k.FixedNS + k.Scale*float64(tied[key]))})
				sum += k.FixedNS + k.Scale*float64(tied[key])
			}
		}
		n.LatencyNS = int64(math.Round(gap*float64(len(n.Calls)) + factor*sum))
		networks = append(networks, n)
	}
	p, err := Fit(networks[0], networks[1:], tied)
	require.NoError(t, err)
	for kind, k := range truth {
		assert.InDelta(t, gap+factor*k.FixedNS, p.Kinds[kind].FixedNS, 2, kind)
		assert.InDelta(t, factor*k.Scale, p.Kinds[kind].Scale, 1e-3, kind)
	}
	assert.Equal(t, 4, p.Validated.Networks)
	assert.Less(t, p.Validated.WorstPct, 0.01)
	assert.EqualValues(t, math.Round(gap+factor*400+factor*0.8*5000), p.LatencyNS(conv(3, 4), 5000))
	assert.EqualValues(t, 77, p.LatencyNS(engine.Activate{Len: 3}, 77), "of a kind that no network had")

	_, err = Fit(networks[0], nil, tied)
	require.ErrorContains(t, err, "no network")
}

// A call without a row counts as it was observed.
func TestFitWithoutARow(t *testing.T) {
	n := Observed{LatencyNS: 3000, Calls: []ObservedCall{{"a", "conv", 1000}, {"b", "conv", 2000}}}
	p, err := Fit(n, []Observed{n}, map[string]int64{"a": 500})
	require.NoError(t, err)
	assert.Equal(t, map[string]Correction{"conv": {FixedNS: 0, Scale: 2, Calls: 2}}, p.Kinds)
	assert.Zero(t, p.Validated.WorstPct)
}

// The validation of a network knows nothing of it.
func TestFitValidatesByTheRest(t *testing.T) {
	tied := map[string]int64{"a": 1000}
	network := func(ns int64) Observed {
		return Observed{LatencyNS: ns, Calls: []ObservedCall{{"a", "conv", ns}}}
	}
	p, err := Fit(network(1000), []Observed{network(1000), network(1000), network(2000)}, tied)
	require.NoError(t, err)
	assert.InDelta(t, 50, p.Validated.WorstPct, 1, "the rest says 1000")
}

// Against every pair on a fine grid, none of which is better.
func TestNonNegative(t *testing.T) {
	r := seeded(t)
	for range 200 {
		var points []point
		for range 2 + r.IntN(6) {
			points = append(points, point{r.Float64(), r.Float64(), 3*r.Float64() - 1, 0.1 + r.Float64()})
		}
		off := func(a, b float64) (sum float64) {
			for _, p := range points {
				sum += p.weight * (a*p.u + b*p.v - p.y) * (a*p.u + b*p.v - p.y)
			}
			return sum
		}
		a, b := nonNegative(points)
		require.GreaterOrEqual(t, a, 0.0)
		require.GreaterOrEqual(t, b, 0.0)
		least := off(a, b) - 1e-9
		for x := 0.0; x < 5; x += 0.05 {
			for y := 0.0; y < 5; y += 0.05 {
				if !(off(x, y) >= least) {
					t.Fatalf("%v: %g, %g is better than %g, %g", points, x, y, a, b)
				}
			}
		}
	}
}

// A reference whose ratio is the same in every round keeps it, however the pace
// changes between rounds.
func TestPaired(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var samples, beside []int64
	for range 101 {
		pace := int64(1 + r.IntN(3))
		samples, beside = append(samples, 200*pace), append(beside, 500*pace)
	}
	result := Summarise(samples)
	assert.Equal(t, result.MedianNS*5/2, paired(result, beside))
	assert.EqualValues(t, 7, paired(Summarise([]int64{0, 0}), []int64{7, 7}), "too fast to be timed")
}
