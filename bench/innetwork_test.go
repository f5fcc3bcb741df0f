package bench

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
)

func inNetwork(t *testing.T) *InNetwork {
	b := graph.NewBuilder("tiny", graph.Shape{H: 1, W: 1, C: 4})
	b.Linear("fc", "input", 3)
	g, err := b.Build()
	require.NoError(t, err)
	p, err := engine.Compile(g, fake{}, engine.Options{Mode: engine.Infer, Batch: 2})
	require.NoError(t, err)
	return NewInNetwork(p)
}

// What another program took part in says nothing of the network.
func TestObserveLeavesOutDisturbedSamples(t *testing.T) {
	n := inNetwork(t)
	for _, s := range [][2]int64{{200, 60}, {100, 50}, {109, 90}, {111, 54}, {104, 52}, {300, 51}} {
		n.samples = append(n.samples, networkSample{s[0], s[1], []int64{s[1]}})
	}
	o, err := n.Observe(context.Background(), 3)
	require.NoError(t, err)
	call := n.program.Plan().Calls[0].String()
	assert.Equal(t, Observed{LatencyNS: 104, CallsNS: map[string]int64{call: 51}, Samples: 6, Disturbed: 3}, o)

	few := inNetwork(t)
	o, err = few.Observe(context.Background(), 4)
	require.NoError(t, err)
	assert.Equal(t, 4, o.Samples, "it takes what it lacks")
	assert.Equal(t, fakeNS(n.program.Plan().Calls[0]), o.CallsNS[call])

	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = inNetwork(t).Observe(stopped, 4)
	require.ErrorIs(t, err, context.Canceled)
}

// A table that is timed beside a network has the same rows, and leaves samples of it.
func TestMeasureBesideANetwork(t *testing.T) {
	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	table.InNetwork = inNetwork(t)
	require.NoError(t, table.Measure(context.Background(), fake{}, grid(2), nil))
	assert.Equal(t, 4, table.Len())
	assert.Len(t, table.InNetwork.samples, 4)
}

func TestUndisturbed(t *testing.T) {
	r := Summarise([]int64{100, 150, 110, 104, 111})
	r.Stop = Plateau
	got := undisturbed(r)
	assert.Equal(t, []int64{100, 110, 104}, got.SamplesNS)
	assert.EqualValues(t, 104, got.MedianNS)
	assert.Equal(t, Plateau, got.Stop)
	assert.Equal(t, []int64{100, 150, 110, 104, 111}, r.SamplesNS)
}
