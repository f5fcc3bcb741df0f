package prune

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/bench"
)

// TestCoarseTable: what is not measured is filled in and marked, the solver leaves
// it alone when told to, and refining ends with solutions that are measured.
func TestCoarseTable(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	c.Importance, c.Step, c.Coarse = Magnitude, 2, 3
	_, _, err := stages(t, dir, c, StageTrain, StageScore, StageBench, StageSolve)
	require.NoError(t, err)

	p, _, _ := stages(t, dir, c)
	defer p.Close()
	require.NoError(t, p.openDevice())
	var filled bench.Filled
	require.NoError(t, p.ReadJSON("filled.json", &filled))
	rows, err := p.rows()
	require.NoError(t, err)
	all := 0
	require.NoError(t, p.withSpace(func(s *Space) error {
		measured := map[string]bool{}
		for _, r := range rows {
			measured[r.Key] = true
		}
		for _, c := range s.Configurations() {
			all++
			_, in := filled.NS[c.String()]
			require.NotEqual(t, measured[c.String()], in, c.String())
		}
		return nil
	}))
	require.Equal(t, all, len(rows)+len(filled.NS))
	require.Less(t, len(rows), all*3/4)
	require.Positive(t, filled.MedianPct)

	only := c
	only.MeasuredOnly = true
	_, _, err = stages(t, dir, only, StageSolve)
	require.NoError(t, err)
	answers, err := p.answers()
	require.NoError(t, err)
	for _, a := range answers {
		require.Empty(t, a.Filled)
		require.Less(t, a.Latency, unreachable)
	}
	text, err := os.ReadFile(p.Path("frontier.csv"))
	require.NoError(t, err)
	front, err := readFront(bytes.NewReader(text))
	require.NoError(t, err)
	for _, q := range front {
		require.Less(t, q.LatencyMS, ms(unreachable))
	}

	_, _, err = stages(t, dir, c, StageSolve)
	require.NoError(t, err)
	rounds, err := p.Refine(context.Background())
	require.NoError(t, err)
	require.NotEmpty(t, rounds)
	last := rounds[len(rounds)-1]
	require.Zero(t, last.Filled)
	for _, a := range last.Answers {
		require.Empty(t, a.Filled)
	}
	again, err := p.Refine(context.Background())
	require.NoError(t, err)
	require.Len(t, again, 1)
	require.LessOrEqual(t, again[0].Measured, len(filled.NS))
	require.NoError(t, p.Close())

	_, skipped, err := stages(t, dir, c, StageBench, StageSolve)
	require.NoError(t, err)
	require.Equal(t, []Stage{StageBench, StageSolve}, skipped, "the refined rows count for what was solved last")
}
