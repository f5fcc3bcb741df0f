package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
		f, err := os.Open(filepath.Join(dir, run, "problem.json"))
		require.NoError(t, err)
		p, err := solve.ReadProblem(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		full, on := make([]int, len(p.Groups)), make([]bool, len(p.Blocks))
		for i, g := range p.Groups {
			full[i] = g.MaxOption
		}
		for i := range on {
			on[i] = true
		}
		_, dense, err := p.Evaluate(full, on)
		require.NoError(t, err)
		problems, budgets = append(problems, p), append(budgets, dense*3/4)
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
