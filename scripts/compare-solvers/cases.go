package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"mdp/prune/solve"
)

// allCases returns the problems of the given files or else the published ones
// and some random ones, then each again with a second device. Capacities are
// the budgets.
func allCases(files []string) ([]*solve.Problem, error) {
	var cases []*solve.Problem
	if len(files) == 0 {
		const published = "prune/solve/testdata/*.json"
		files, _ = filepath.Glob(published)
		if len(files) == 0 {
			return nil, fmt.Errorf("no %s: run from the repository's root, or name the problem files", published)
		}
		for seed := range uint64(6) {
			cases = append(cases, random(seed))
		}
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		p, err := solve.ReadProblem(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		cases = append(cases, p)
	}
	for _, p := range slices.Clone(cases) {
		two, err := withSecondDevice(p)
		if err != nil {
			return nil, err
		}
		cases = append(cases, two)
	}
	starved := random(99)
	starved.Name, starved.Capacity = "random_starved", starved.Capacity/20
	return append(cases, starved), nil
}

func budgetsOf(p *solve.Problem) []int64 {
	budgets := []int64{p.Capacity}
	for _, c := range p.Costs {
		budgets = append(budgets, c.Capacity)
	}
	return budgets
}

// withSecondDevice bends the first device's tables: each layer up to twice as
// fast or slow, each cell off by up to 10 %. The second budget is 98 % of what
// the first device's optimum costs there.
func withSecondDevice(p *solve.Problem) (*solve.Problem, error) {
	q := *p
	q.Name += "_two"
	r := rand.New(rand.NewPCG(uint64(len(p.Layers)), uint64(p.Capacity)))
	second := solve.Cost{Name: "second", Unit: p.LatencyUnit, Constant: p.Constant}
	for _, l := range p.Layers {
		layer := 0.5 + 1.5*r.Float64()
		bent := func(row []int64) []int64 {
			out := slices.Clone(row)
			for i := range out {
				out[i] = int64(float64(out[i]) * layer * (0.9 + 0.2*r.Float64()))
			}
			return out
		}
		var t solve.Table
		if l.Latency.Own != nil {
			t.Own = bent(l.Latency.Own)
		}
		for _, row := range l.Latency.Pair {
			t.Pair = append(t.Pair, bent(row))
		}
		second.Layers = append(second.Layers, t)
	}
	q.Costs = []solve.Cost{second}
	s, err := solve.Optimum(context.Background(), p, p.Capacity, solve.Options{})
	if err != nil {
		return nil, err
	}
	costs, err := q.CostsOf(s.Options, s.BlocksOn)
	if err != nil {
		return nil, err
	}
	q.Costs[0].Capacity = costs[1] * 98 / 100
	return &q, nil
}

// random is a chain of ten groups with shortcuts and removable blocks, at
// half of its largest latency.
func random(seed uint64) *solve.Problem {
	r := rand.New(rand.NewPCG(seed, 7))
	p := &solve.Problem{Name: fmt.Sprintf("random_%d", seed), Blocks: []solve.Block{{ID: 0}}}
	const groups = 10
	for g := range groups {
		last := 3 + r.IntN(4)
		p.Groups = append(p.Groups, solve.Group{ID: g, Options: last + 1, MinOption: 1, MaxOption: last, ChannelsPerOption: 8})
	}
	layer := func(own, prev, block int) {
		l := solve.Layer{Name: fmt.Sprint("layer", len(p.Layers)), Group: own, PrevGroup: prev, Block: block}
		sum, inputs := int64(0), 1
		if prev >= 0 {
			inputs = p.Groups[prev].Options
		}
		for o := range p.Groups[own].Options {
			l.Importance = append(l.Importance, sum)
			sum += r.Int64N(100_000)
			row := make([]int64, inputs)
			for i := range row {
				row[i] = 500 + int64((o+1)*(i+1))*100 + r.Int64N(2000)
			}
			l.Latency.Pair = append(l.Latency.Pair, row)
		}
		p.Layers = append(p.Layers, l)
	}
	for g := range groups {
		block := 0
		if g%3 == 2 {
			block = len(p.Blocks)
			p.Blocks = append(p.Blocks, solve.Block{ID: block, Prunable: true})
		}
		layer(g, g-1, block)
		if g >= 3 && r.IntN(2) == 0 {
			layer(g, g-3, block)
		}
	}
	for _, l := range p.Layers {
		last := l.Latency.Pair[len(l.Latency.Pair)-1]
		p.Capacity += last[len(last)-1] / 2
	}
	return p
}
