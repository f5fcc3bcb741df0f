package solve

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// No baseline that fits beats the optimum; each is a configuration that evaluates to what it says.
func TestBaselines(t *testing.T) {
	check := func(t *testing.T, p *Problem, budget int64) []Baseline {
		best, err := Optimum(context.Background(), p, budget, Options{})
		require.NoError(t, err)
		all, err := Baselines(context.Background(), p, budget, Options{})
		require.NoError(t, err)
		require.Len(t, all, 4)
		for _, b := range all {
			if !b.Found {
				continue
			}
			importance, latency, err := p.Evaluate(b.Options, b.BlocksOn)
			require.NoError(t, err)
			require.Equal(t, []int64{importance, latency}, []int64{b.Objective, b.Latency})
			require.Equal(t, latency <= budget, b.Fits)
			if b.Fits {
				require.LessOrEqual(t, b.Objective, best.Objective, b.Name)
			}
		}
		channels := all[1]
		require.True(t, !channels.Found || channels.Fits)
		require.True(t, !all[3].Found || all[3].Fits)
		return all
	}
	for i := range few(1000) {
		name := fmt.Sprintf("baselines-%d", i)
		t.Run(name, func(t *testing.T) {
			r := seeded(name)
			p := randomProblem(r, shapes[i%len(shapes)], 1+r.IntN(4), 4)
			front := bruteFront(p)
			check(t, p, front[r.IntN(len(front))].Latency)
		})
	}
	for _, o := range publishedOptima(t) {
		p := readInstance(t, o.Name)
		for _, b := range check(t, p, p.Capacity) {
			t.Logf("%-12s %-16s %v %5.1f %% of the optimum, %5.1f %% of the budget, %.1f ms", o.Name, b.Name, b.Fits,
				100*float64(b.Objective)/float64(o.Optimum), 100*float64(b.Latency)/float64(p.Capacity), 1e3*b.Seconds)
		}
	}
}

// With tables that do not depend on the input and nothing removable, the simpler models are exact.
func TestBaselinesThatAreExact(t *testing.T) {
	for i := range few(200) {
		name := fmt.Sprintf("exact-baselines-%d", i)
		r := seeded(name)
		p := channelsOnly(OutputOnly(randomProblem(r, shapes[i%len(shapes)], 1+r.IntN(4), 4)))
		front := bruteFront(p)
		budget := front[r.IntN(len(front))].Latency
		best, err := Optimum(context.Background(), p, budget, Options{})
		require.NoError(t, err)
		all, err := Baselines(context.Background(), p, budget, Options{})
		require.NoError(t, err)
		for _, b := range all[:3] {
			require.Equal(t, best.Objective, b.Objective, name)
		}
	}
}
