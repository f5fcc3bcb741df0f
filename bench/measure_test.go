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

// However slow the machine was while a row was measured, tied to a network the
// row is as fast as that network's machine.
func TestTie(t *testing.T) {
	calls := grid(2) // one layer; the last is its largest
	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	require.NoError(t, table.Measure(context.Background(), fake{&[]int64{1, 4, 2, 3}}, calls, nil))
	for _, r := range table.Rows() {
		assert.Equal(t, calls[3].String(), r.Reference)
	}
	tied := Tie(table.Rows(), map[string]int64{calls[3].String(): 5 * fakeNS(calls[3])})
	for _, c := range calls {
		assert.InDelta(t, 5*fakeNS(c), tied[c.String()], 1)
	}

	row, ok := table.Row(calls[0])
	require.True(t, ok)
	untied := Tie(table.Rows(), nil)
	assert.Equal(t, row.MedianNS, untied[calls[0].String()], "without its reference in the network a row stays as measured")
}

func TestNetworks(t *testing.T) {
	var programs []*engine.Program
	for _, classes := range []int{2, 3} {
		b := graph.NewBuilder("tiny", graph.Shape{H: 1, W: 1, C: 4})
		b.Linear("fc", "input", classes)
		g, err := b.Build()
		require.NoError(t, err)
		p, err := engine.Compile(g, fake{}, engine.Options{Mode: engine.Infer, Batch: 1})
		require.NoError(t, err)
		defer p.Close()
		programs = append(programs, p)
	}
	results, err := Networks(context.Background(), programs, quick())
	require.NoError(t, err)
	require.Len(t, results, 2)
	for _, r := range results {
		assert.NotEmpty(t, r.SamplesNS)
		assert.LessOrEqual(t, r.LowNS, r.MedianNS)
		assert.LessOrEqual(t, r.MedianNS, r.HighNS)
	}
	_, err = Network(context.Background(), programs[0], quick())
	require.NoError(t, err)

	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	require.NoError(t, table.Measure(context.Background(), fake{}, programs[0].Plan().Calls, nil))
	inNetwork, err := InNetwork(context.Background(), programs[0], quick())
	require.NoError(t, err)
	latencyNS := Tie(table.Rows(), inNetwork)
	ns, missing := Predict(programs[0], latencyNS)
	assert.Equal(t, fakeNS(programs[0].Plan().Calls[0]), ns)
	assert.Empty(t, missing)
	_, missing = Predict(programs[1], latencyNS)
	assert.Len(t, missing, 1)
}

func TestCall(t *testing.T) {
	r, err := Call(context.Background(), fake{}, quick(), conv(3, 4))
	require.NoError(t, err)
	assert.Equal(t, fakeNS(conv(3, 4)), r.MedianNS)
}
