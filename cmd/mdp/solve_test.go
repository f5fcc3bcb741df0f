package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune"
	"mdp/prune/solve"
)

func solveData(t *testing.T, name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "prune", "solve", "testdata", name))
	require.NoError(t, err)
	return path
}

func solved(t *testing.T, args ...string) (a struct {
	answer
	Costs []int64
	Alone []solve.Solution
}) {
	text := ok(t, t.TempDir(), append([]string{"solve", "--json"}, args...)...).stdout
	assertKeys(t, text, []string{"status", "objective", "latency", "bound", "gap", "seconds", "options", "blocks"})
	require.NoError(t, json.Unmarshal([]byte(text), &a))
	return a
}

func TestSolveSeveralDevices(t *testing.T) {
	file := solveData(t, filepath.Join("examples", "two_devices.json"))
	a := solved(t, file, "--budget", "60,100")
	assert.Equal(t, solve.Optimal, a.Status)
	require.Len(t, a.Costs, 2)
	assert.Equal(t, a.Latency, a.Costs[0])
	assert.LessOrEqual(t, a.Costs[0], int64(60))
	assert.LessOrEqual(t, a.Costs[1], int64(100))
	require.Len(t, a.Alone, 2)
	for _, alone := range a.Alone {
		assert.GreaterOrEqual(t, alone.Objective, a.Objective)
	}
	three := solved(t, file, "--with", file, "--budget", "60,100,58")
	require.Len(t, three.Costs, 3)
	assert.LessOrEqual(t, three.Costs[2], int64(58))
	text := ok(t, t.TempDir(), "solve", file).stdout
	unbudgeted := filepath.Join(t.TempDir(), "unbudgeted.json")
	p, err := prune.ReadProblem(file)
	require.NoError(t, err)
	p.Capacity = 0
	write(t, unbudgeted, written(t, p))
	assert.Contains(t, text, "price of one for all")
	assert.Contains(t, text, "latency on the phone")
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--with " + unbudgeted, exitUsage, "says no budget: give one budget, one for latency on the phone, one for " + unbudgeted + " with --budget, in us"},
		{"--budget 60", exitUsage, "1 budgets given, want one budget, one for latency on the phone"},
		{"--budget 60,1", exitInfeasible, "budget 1 of latency on the phone is below the least there is"},
		{"--budget 60,x", exitUsage, `budget "x" of a problem file must be an integer in its unit, us`},
		{"--front", exitUsage, "look at latency alone"},
		{"--with none.json", exitUsage, "none.json"},
		{"--with " + solveData(t, "rn50_mdp_04.json"), exitUsage, "the problem it goes with"},
		{"--epsilon 0.1", exitUsage, "give --front as well"},
		{"--fix conv9", exitUsage, `constraint on "conv9": no layer has such a name`},
		{"--multiple 0", exitUsage, `multiple "0" is neither`},
		{"--max-share 0.01", exitUsage, "no option of group"},
	} {
		assertRefused(t, mdp(t, t.TempDir(), append([]string{"solve", file}, strings.Fields(c.args)...)...), c.code, c.says)
	}
}

func TestSolveConstrained(t *testing.T) {
	file := solveData(t, "rn50_mdp_04.json")
	free := solved(t, file)
	bound := solved(t, file, "--fix", "*layer4*", "--multiple", "64", "--equal", "*layer3.[1-5].conv2")
	assert.Less(t, bound.Objective, free.Objective)
	assert.Len(t, bound.Options, len(free.Options), "of the file's groups")
	p, err := prune.ReadProblem(file)
	require.NoError(t, err)
	objective, latency, err := p.Evaluate(bound.Options, bound.BlocksOn)
	require.NoError(t, err)
	assert.Equal(t, []int64{bound.Objective, bound.Latency}, []int64{objective, latency})
	for g, group := range p.Groups {
		if strings.Contains(group.Layers[0], "layer4") {
			assert.Equal(t, group.MaxOption, bound.Options[g])
		}
	}
}

func TestSolveLimits(t *testing.T) {
	file := solveData(t, "rn101_mdp_00.json")
	best := solved(t, file)
	assert.Empty(t, best.Limit)
	a := solved(t, file, "--time-limit", "1ns")
	assert.Equal(t, solve.Feasible, a.Status)
	assert.Equal(t, "time", a.Limit)
	assert.LessOrEqual(t, a.Latency, a.Budget)
	assert.LessOrEqual(t, a.Objective, best.Objective)
	assert.GreaterOrEqual(t, a.Bound, best.Objective)
	assert.Positive(t, a.Gap)
	assert.Contains(t, ok(t, t.TempDir(), "solve", file, "--time-limit", "1ns").stdout, "ended by the time limit")
	assertRefused(t, mdp(t, t.TempDir(), "solve", file, "--time-limit", "1ns", "--front"), exitFailed, "front not finished")
	assert.Empty(t, mdp(t, t.TempDir(), "solve", file, "--memory-limit", "20").stderr)
}

func TestSolveBaselinesAndFronts(t *testing.T) {
	file := solveData(t, "mbv1_mdp_20.json")
	a := solved(t, file, "--baselines", "--front")
	require.Len(t, a.Baselines, 4)
	for _, b := range a.Baselines {
		assert.True(t, !b.Fits || b.Objective <= a.Objective, b.Name)
	}
	assert.Contains(t, ok(t, t.TempDir(), "solve", file, "--baselines").stdout, "the optimum gains")
	few := solved(t, file, "--front", "--epsilon", "0.01")
	assert.Less(t, len(few.Front), len(a.Front))
	assert.Subset(t, a.Front, few.Front)
}

func TestSolveProgress(t *testing.T) {
	var said strings.Builder
	tell, done := watch(&said, false)
	tell(solve.Progress{Objective: 5, Bound: 9})
	done()
	assert.Empty(t, said.String(), "a solve of milliseconds")
	assert.Equal(t, "solve  0:12  best 5, bound 9, 7 partial choices", solveLine(solve.Progress{Objective: 5, Bound: 9, Labels: 7}, 12*time.Second))
	assert.Equal(t, "solve  0:12  3 points, up to latency 80", solveLine(solve.Progress{Points: 3, Latency: 80}, 12*time.Second))
	tell, _ = watch(&said, true)
	assert.Nil(t, tell)
}
