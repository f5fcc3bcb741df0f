package bench

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// stairs is a device that computes 8 channels read by 16 written at once.
func stairs(c engine.Call) int64 {
	in, out := channels(c)
	u, v := float64((in+7)/8*8), float64((out+15)/16*16)
	return int64(math.Round(5000 + 30*u + 20*v + 7*u*v))
}

// cells are a layer's grid in steps of 4 channels up to 64, and every third of
// both sides of it.
func cells() (all []engine.Call, measuredNS map[string]int64) {
	measuredNS = map[string]int64{}
	for in := 4; in <= 64; in += 4 {
		for out := 4; out <= 64; out += 4 {
			c := WithChannels(conv(8, 8), in, out)
			all = append(all, c)
			if in%12 == 4 && out%12 == 4 || (in/4+5*out/4)%12 == 0 {
				measuredNS[c.String()] = stairs(c)
			}
		}
	}
	return all, measuredNS
}

// A staircase is found from a part of its cells: its tile, its coefficients and
// every cell between.
func TestFillFindsTheStaircase(t *testing.T) {
	all, measuredNS := cells()
	f, err := Fill(all, measuredNS)
	require.NoError(t, err)
	require.Len(t, f.Layers, 1)
	l := f.Layers[0]
	assert.Equal(t, [2]int{8, 16}, l.Tile)
	assert.InDeltaSlice(t, []float64{5000, 30, 20, 7}, l.Model[:], 1)
	assert.Less(t, f.WorstPct, 0.1)
	assert.Equal(t, len(measuredNS), l.Measured)
	require.Len(t, f.NS, len(all)-len(measuredNS))
	for _, c := range all {
		ns, filled := f.NS[c.String()]
		_, measured := measuredNS[c.String()]
		require.NotEqual(t, measured, filled, "what is filled is what was not measured")
		if filled {
			assert.InEpsilon(t, stairs(c), ns, 1e-3, "%v", c)
		}
	}
}

// What no model says is carried over from the nearest cells, and the error of
// leaving cells out tells of noise.
func TestFillIsHonest(t *testing.T) {
	all, measuredNS := cells()
	r := seeded(t)
	for key, ns := range measuredNS {
		measuredNS[key] = ns / 2 * int64(2+r.IntN(2)) // each half as much again by chance
	}
	f, err := Fill(all, measuredNS)
	require.NoError(t, err)
	assert.Greater(t, f.MedianPct, 5.0)
	assert.Greater(t, f.WorstPct, 20.0)
	for _, ns := range f.NS {
		require.Positive(t, ns)
	}
}

func TestFillNeedsSomeOfEveryLayer(t *testing.T) {
	all, measuredNS := cells()
	other := conv(8, 8)
	other.R, other.S, other.Pad = 1, 1, [2]int{}
	_, err := Fill(append(all, other), measuredNS)
	require.ErrorContains(t, err, other.String())
	f, err := Fill(all[:1], map[string]int64{all[0].String(): 1})
	require.NoError(t, err)
	assert.Empty(t, f.Layers, "there is nothing to fill in")
	one, err := Fill(all[:2], map[string]int64{all[0].String(): 777})
	require.NoError(t, err)
	assert.InDelta(t, 777, one.NS[all[1].String()], 777, "one cell is all it knows")
}
