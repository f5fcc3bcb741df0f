package prune

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/bench"
)

// A run's table, its refinement and its verification are measured by one process at a
// time on a device, and say what the device was set to.
func TestMeasuringExcludesOthers(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	_, _, err := stages(t, dir, c, StageTrain, StageScore)
	require.NoError(t, err)
	p, _, _ := stages(t, dir, c)
	require.NoError(t, p.openDevice())
	p.device.Place = "test/" + t.Name()
	release, err := bench.Exclude(p.device.Place)
	require.NoError(t, err)
	require.ErrorContains(t, p.Run(context.Background(), StageBench), "another mdp bench is measuring")
	require.NoError(t, release())
	require.NoError(t, p.Run(context.Background(), StageBench, StageSolve))

	h, rows, err := bench.ReadTable(p.Path("latency.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, h.Settings.Source)
	require.NotNil(t, rows[0].State)

	release, err = bench.Exclude(p.device.Place)
	require.NoError(t, err)
	_, err = p.Verify(context.Background(), 1, briskly)
	require.ErrorContains(t, err, "another mdp bench is measuring")
	_, err = p.Refine(context.Background())
	require.ErrorContains(t, err, "another mdp bench is measuring")
	require.NoError(t, release())
	require.NoError(t, p.Close())
}
