package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune"
	"mdp/prune/report"
	"mdp/prune/solve"
)

// Two devices, for here the batch is another one: the same network is measured in
// a run on each, and one solve finds the network that both have time for.
func TestTablesOfTwoDevices(t *testing.T) {
	dir := finished(t)
	require.NoError(t, os.CopyFS(filepath.Join(dir, "phone"), os.DirFS(filepath.Join(dir, "run"))))
	for _, step := range []string{"bench", "solve"} {
		ok(t, dir, step, "--run", "phone", "--latency-batch", "4")
	}
	var problems []*solve.Problem
	var budgets []int64
	for _, run := range []string{"run", "phone"} {
		p, err := prune.ReadProblem(filepath.Join(dir, run))
		require.NoError(t, err)
		problems, budgets = append(problems, p), append(budgets, dense(t, p)*3/4)
	}
	out := ok(t, dir, "solve", "run/problem.json", "--with", "phone/problem.json", "--budget", fmt.Sprintf("%d,%d", budgets[0], budgets[1]), "--json").stdout
	var a struct {
		Status    string
		Objective int64
		Costs     []int64
		Options   []int
		Blocks    []bool
	}
	require.NoError(t, json.Unmarshal([]byte(out), &a))
	assert.Equal(t, "optimal", a.Status)
	for i, p := range problems {
		objective, latency, err := p.Evaluate(a.Options, a.Blocks)
		require.NoError(t, err)
		assert.Equal(t, a.Objective, objective, "both runs have the same scores")
		assert.Equal(t, a.Costs[i], latency)
		assert.LessOrEqual(t, latency, budgets[i])
	}
}

func dense(t *testing.T, p *solve.Problem) int64 {
	_, latency, err := p.Evaluate(p.Dense())
	require.NoError(t, err)
	return latency
}

// slower writes problem.json of a run as a device would have it on which the
// layers of a block take so many times as long.
func slower(t *testing.T, dir, name, block string, times int64) *solve.Problem {
	p, err := prune.ReadProblem(filepath.Join(dir, "run"))
	require.NoError(t, err)
	for i := range p.Layers {
		if l := p.Layers[i]; strings.Contains(l.Name, block) {
			for _, row := range append(l.Latency.Pair, l.Latency.Own) {
				for j := range row {
					row[j] *= times
				}
			}
		}
	}
	f, err := os.Create(filepath.Join(dir, name))
	require.NoError(t, err)
	require.NoError(t, p.Write(f))
	require.NoError(t, f.Close())
	return p
}

// A run whose networks must be fast enough on another device, too, which is slow
// where this one is not: they are what mdp solve finds for the two problem files.
func TestRunForTwoDevices(t *testing.T) {
	dir := finished(t)
	here, err := prune.ReadProblem(filepath.Join(dir, "run"))
	require.NoError(t, err)
	there := slower(t, dir, "phone.json", "layer3", 6)
	latency := func(p *solve.Problem, a prune.Answer) int64 {
		objective, latency, err := p.Evaluate(a.Options, a.BlocksOn)
		require.NoError(t, err)
		assert.Equal(t, a.Objective, objective)
		return latency
	}
	answer := func() prune.Answer {
		var all []prune.Answer
		require.NoError(t, json.Unmarshal([]byte(ok(t, dir, "solve", "--run", "run", "--json").stdout), &all))
		require.Len(t, all, 1)
		return all[0]
	}
	alone := answer()
	require.Greater(t, latency(there, alone), dense(t, there)/2, "the other budget asks for nothing")

	out := ok(t, dir, "prune", "--run", "run", "--with", "phone.json=0.5x").stdout
	a := answer()
	require.Len(t, a.Further, 1)
	f := a.Further[0]
	assert.Equal(t, prune.FurtherLatency{Name: "phone.json", Asked: "0.5x", Budget: dense(t, there) / 2, Latency: latency(there, a)}, f)
	assert.LessOrEqual(t, f.Latency, f.Budget)
	assert.Equal(t, a.Latency, latency(here, a))
	assert.LessOrEqual(t, a.Latency, a.Budget)
	assert.Less(t, a.Objective, alone.Objective)

	write(t, filepath.Join(dir, "here.json"), written(t, here))
	for _, args := range [][]string{
		{"here.json", "--with", "phone.json", "--budget", fmt.Sprintf("%d,%d", a.Budget, f.Budget)},
		{"here.json", "--with", fmt.Sprint("phone.json=", f.Budget), "--budget", fmt.Sprint(a.Budget)},
		{"run", "--budget", fmt.Sprintf("%d,%d", a.Budget, f.Budget)}, // its problem.json has both
	} {
		var file jointAnswer
		require.NoError(t, json.Unmarshal([]byte(ok(t, dir, append([]string{"solve", "--json"}, args...)...).stdout), &file))
		assert.Equal(t, []any{solve.Optimal, a.Objective, []int64{a.Latency, f.Latency}, a.Options, a.BlocksOn},
			[]any{file.Status, file.Objective, file.Costs, file.Options, file.BlocksOn}, args)
	}

	assert.Contains(t, strings.Join(strings.Fields(out), " "), "on phone.json, budget")
	assert.Contains(t, ok(t, dir, "solve", "--run", "run").stdout, "on a further device")
	page, err := os.ReadFile(filepath.Join(dir, "run", "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "further devices of this run")
	var r report.Run
	require.NoError(t, json.Unmarshal([]byte(ok(t, dir, "report", "run", "--json").stdout), &r))
	assert.Equal(t, []report.Further{{Name: "phone.json", Budget: "0.5x", BudgetMS: float64(f.Budget) / 1e6, LatencyMS: float64(f.Latency) / 1e6}}, r.Solutions[0].Further)

	slower(t, dir, "phone.json", "layer3", 5)
	assert.NotContains(t, ok(t, dir, "solve", "--run", "run").stderr, "skipped", "the other device's file has changed")
	assert.Contains(t, ok(t, dir, "solve", "--run", "run").stderr, "skipped")
	assert.Empty(t, func() []prune.FurtherLatency {
		ok(t, dir, "solve", "--run", "run", "--with", "")
		return answer().Further
	}())
}

func written(t *testing.T, p *solve.Problem) string {
	var b strings.Builder
	require.NoError(t, p.Write(&b))
	return b.String()
}
