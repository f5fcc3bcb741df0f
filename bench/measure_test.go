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

// A row measured while the machine was slow is measured again; when it stays
// slow, the best attempt is kept and says so.
func TestSlowMachine(t *testing.T) {
	calls := grid(2)
	for name, c := range map[string]struct {
		slow []int64 // each attempt
		want int64   // how much slower the second row is
	}{
		"steady":      {nil, 1},
		"a hiccup":    {[]int64{1, 2}, 1},
		"slower":      {[]int64{1, 4, 2, 3}, 2},
		"then faster": {[]int64{2, 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "latency.jsonl")
			table := open(t, path)
			b := fake{&c.slow}
			require.NoError(t, table.Measure(context.Background(), b, calls[:1], nil))
			require.NoError(t, table.Measure(context.Background(), b, calls[1:2], nil))
			row, ok := table.Row(calls[1])
			require.True(t, ok)
			assert.Equal(t, c.want*fakeNS(calls[1]), row.MedianNS)
			assert.Equal(t, c.want*fakeNS(reference), row.ReferenceNS)
		})
	}
}

func TestPace(t *testing.T) {
	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	_, err := table.Pace(context.Background(), fake{})
	require.ErrorContains(t, err, "measure first")
	require.NoError(t, table.Measure(context.Background(), fake{}, grid(1), nil))
	pace, err := table.Pace(context.Background(), fake{&[]int64{3}})
	require.NoError(t, err)
	assert.Equal(t, 3.0, pace)
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
	ns, missing := Predict(programs[0], table)
	assert.Equal(t, fakeNS(programs[0].Plan().Calls[0]), ns)
	assert.Empty(t, missing)
	_, missing = Predict(programs[1], table)
	assert.Len(t, missing, 1)
}

func TestCall(t *testing.T) {
	r, err := Call(context.Background(), fake{}, quick(), conv(3, 4))
	require.NoError(t, err)
	assert.Equal(t, fakeNS(conv(3, 4)), r.MedianNS)
}
