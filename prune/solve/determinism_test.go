package solve

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The same answer, labels and order on every run, with any number of threads,
// alone or beside others.
func TestSameOnEveryRun(t *testing.T) {
	ctx := context.Background()
	p := twoDevices(readInstance(t, "rn50_mdp_16"))
	type answers struct {
		one   Solution
		joint JointSolution
		front []Point
		told  []Progress
	}
	solve := func() (a answers) {
		opts := Options{Progress: func(pr Progress) { a.told = append(a.told, pr) }}
		var err error
		a.one, err = Optimum(ctx, p, p.Capacity, opts)
		require.NoError(t, err)
		a.joint, err = Joint(ctx, p, budgetsOf(p), opts)
		require.NoError(t, err)
		a.front, err = wholeFront(ctx, p, opts)
		require.NoError(t, err)
		a.one.Seconds, a.joint.Seconds = 0, 0
		for i := range a.joint.Alone {
			a.joint.Alone[i].Seconds = 0
		}
		return a
	}
	want := solve()
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, threads := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(threads)
		var got [3]answers
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() { got[i] = solve() })
		}
		all.Wait()
		for _, a := range got {
			require.Equal(t, want, a, "%d threads", threads)
		}
	}
}

// The order of groups, layers and blocks is none of several budgets' business either.
func TestPermutationChangesNothingJointly(t *testing.T) {
	for _, name := range []string{"chain", "residual", "tree", "star"} {
		r := seeded("joint permutation " + name)
		p := withCosts(r, randomProblem(r, name, 6, 4), 1)
		everything := newChoiceAll(p)
		budgets, err := p.CostsOf(everything.options, everything.blocks)
		require.NoError(t, err)
		for i := range budgets {
			budgets[i] = budgets[i] * 6 / 10
		}
		want, err := Joint(context.Background(), p, budgets, Options{})
		require.NoError(t, err)
		order := r.Perm(len(p.Layers))
		q := *p
		q.Layers, q.Costs = nil, []Cost{p.Costs[0]}
		q.Costs[0].Layers = nil
		for _, i := range order {
			q.Layers = append(q.Layers, p.Layers[i])
			q.Costs[0].Layers = append(q.Costs[0].Layers, p.Costs[0].Layers[i])
		}
		q.Groups = make([]Group, len(p.Groups))
		to := r.Perm(len(p.Groups))
		for i, g := range p.Groups {
			g.ID = to[i]
			q.Groups[g.ID] = g
		}
		for i := range q.Layers {
			for _, side := range []*int{&q.Layers[i].Group, &q.Layers[i].PrevGroup} {
				if *side >= 0 {
					*side = to[*side]
				}
			}
		}
		got, err := Joint(context.Background(), &q, budgets, Options{})
		require.NoError(t, err)
		require.Equal(t, want.Status, got.Status)
		require.Equal(t, want.Objective, got.Objective)
		require.Equal(t, want.Costs, got.Costs)
	}
}
