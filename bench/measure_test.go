package bench

import (
	"context"
	"math/rand/v2"
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
	require.NoError(t, table.Measure(context.Background(), fake{slow: &[]int64{1, 4, 2, 3}}, calls, nil))
	for _, r := range table.Rows() {
		assert.Equal(t, calls[3].String(), r.Reference)
	}
	tied := Tie(table.Rows(), map[string]int64{calls[3].String(): 5 * fakeNS(calls[3])})
	for _, c := range calls {
		assert.InDelta(t, 5*fakeNS(c), tied[c.String()], 1)
	}

	row, ok := table.Find(calls[0].String())
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
	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	require.NoError(t, table.Measure(context.Background(), fake{}, programs[0].Plan().Calls, nil))
	observed, err := NewInNetwork(programs[0]).Observe(context.Background(), 3)
	require.NoError(t, err)
	latencyNS := Tie(table.Rows(), observed.CallsNS)
	ns, missing := Predict(programs[0], latencyNS)
	assert.Equal(t, fakeNS(programs[0].Plan().Calls[0]), ns)
	assert.Empty(t, missing)
	_, missing = Predict(programs[1], latencyNS)
	assert.Len(t, missing, 1)
}

// With a clock that only calls move, networks take what their rows add up to,
// and the slower one's row is as slow beside its reference.
func TestNetworksByTheClock(t *testing.T) {
	b := graph.NewBuilder("tiny", graph.Shape{H: 1, W: 1, C: 4})
	b.Linear("fc2", b.Linear("fc1", "input", 8), 3)
	g, err := b.Build()
	require.NoError(t, err)
	clock := &fakeClock{}
	backend := fake{slow: &[]int64{1, 3}, clock: clock}
	var programs []*engine.Program
	for range 2 {
		p, err := engine.Compile(g, backend, engine.Options{Mode: engine.Infer, Batch: 2})
		require.NoError(t, err)
		programs = append(programs, p)
	}
	table := open(t, filepath.Join(t.TempDir(), "latency.jsonl"))
	require.NoError(t, table.Measure(context.Background(), backend, programs[0].Plan().Calls, nil))
	sum, missing := Predict(programs[0], Tie(table.Rows(), nil))
	require.Empty(t, missing)
	results, err := networks(context.Background(), programs, quick(), clock.now)
	require.NoError(t, err)
	assert.Equal(t, sum, results[0].MedianNS)
	assert.Equal(t, 3*sum, results[1].MedianNS)
}

// A network's row is measured once, beside its reference.
func TestTableOfNetworks(t *testing.T) {
	b := graph.NewBuilder("tiny", graph.Shape{H: 1, W: 1, C: 4})
	b.Linear("fc", "input", 3)
	g, err := b.Build()
	require.NoError(t, err)
	p, err := engine.Compile(g, fake{}, engine.Options{Mode: engine.Infer, Batch: 2})
	require.NoError(t, err)
	table := open(t, filepath.Join(t.TempDir(), "networks.jsonl"))
	for range 2 {
		require.NoError(t, table.Network(context.Background(), "small", p, "dense", p))
	}
	require.Equal(t, 1, table.Len())
	row, ok := table.Find("small")
	require.True(t, ok)
	assert.Equal(t, "dense", row.Reference)
	assert.Positive(t, row.ReferenceNS)
	require.NoError(t, table.Network(context.Background(), "other", p, "dense", p))
	assert.Equal(t, 2, table.Len())
}

func TestCall(t *testing.T) {
	r, err := Call(context.Background(), fake{}, quick(), 2, conv(3, 4))
	require.NoError(t, err)
	assert.Equal(t, fakeNS(conv(3, 4)), r.MedianNS)
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
	assert.EqualValues(t, 1, paired(Summarise([]int64{0, 0}), []int64{0, 0}), "a row that its table's reader takes")
}
