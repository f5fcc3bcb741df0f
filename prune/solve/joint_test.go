package solve

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withCosts adds further costs of random tables to a problem.
func withCosts(r *rand.Rand, p *Problem, costs int) *Problem {
	for k := range costs {
		c := Cost{Name: fmt.Sprint("cost", k), Constant: pick(r, 0, 0, 5)}
		for _, l := range p.Layers {
			c.Layers = append(c.Layers, randomLayer(r, p, l.Group, l.PrevGroup, l.Block).Latency)
		}
		p.Costs = append(p.Costs, c)
	}
	return p
}

// priced is a configuration's worth.
type priced struct {
	importance int64
	costs      []int64
}

func (a priced) beats(b priced) bool {
	return a.importance > b.importance || a.importance == b.importance && slices.Compare(a.costs, b.costs) < 0
}

// bruteJoint returns the best configuration within all budgets by enumeration.
func bruteJoint(all []priced, budgets []int64) (best priced) {
	for _, c := range all {
		fits := true
		for i, v := range c.costs {
			fits = fits && v <= budgets[i]
		}
		if fits && (best.costs == nil || c.beats(best)) {
			best = c
		}
	}
	return best
}

func everyPriced(t *testing.T, p *Problem) (all []priced) {
	everyChoice(p, func(options []int, blocks []bool) {
		importance, _, err := p.Evaluate(options, blocks)
		require.NoError(t, err)
		costs, err := p.CostsOf(options, blocks)
		require.NoError(t, err)
		all = append(all, priced{importance, costs})
	})
	return all
}

func checkJoint(t *testing.T, p *Problem, want priced, s JointSolution) {
	t.Helper()
	if want.costs == nil {
		require.Equal(t, Infeasible, s.Status)
		require.Nil(t, s.Options)
		return
	}
	require.Equal(t, Optimal, s.Status)
	require.Equal(t, want, priced{s.Objective, s.Costs})
	require.Equal(t, want.importance, s.Bound)
	require.Zero(t, s.Gap)
	importance, _, err := p.Evaluate(s.Options, s.BlocksOn)
	require.NoError(t, err)
	costs, err := p.CostsOf(s.Options, s.BlocksOn)
	require.NoError(t, err)
	require.Equal(t, want, priced{importance, costs})
	for _, alone := range s.Alone {
		require.GreaterOrEqual(t, alone.Objective, s.Objective)
	}
}

func TestJointAgainstBruteForce(t *testing.T) {
	for _, shape := range shapes {
		for i := range few(250) {
			name := fmt.Sprintf("joint-%s-%d", shape, i)
			t.Run(name, func(t *testing.T) {
				r := seeded(name)
				p := withCosts(r, randomProblem(r, shape, 1+r.IntN(4), 3), i%maxCosts)
				all := everyPriced(t, p)
				for range 4 {
					budgets := slices.Clone(all[r.IntN(len(all))].costs) // reachable, often barely
					for k := range budgets {
						budgets[k] += pick(r, -1, 0, 0, 1, 20, 300)
					}
					s, err := Joint(context.Background(), p, budgets, Options{})
					require.NoError(t, err)
					checkJoint(t, p, bruteJoint(all, budgets), s)
				}
			})
		}
	}
}

// Units up to 1e12 a cell: prices are then rounded to fit, answers are not.
func TestJointHugeUnits(t *testing.T) {
	for i := range few(300) {
		name := fmt.Sprintf("joint-huge-%d", i)
		t.Run(name, func(t *testing.T) {
			r := seeded(name)
			p := withCosts(r, randomProblem(r, shapes[i%len(shapes)], 1+r.IntN(4), 3), i%maxCosts)
			scale(p, pick(r, 1, 1e6+3, 1e9+7, 1e12), pick(r, 1, 1e6+1, 1e9+9, 1e12))
			if p.Validate() != nil {
				t.Skip("adds up to more than 2^56")
			}
			all := everyPriced(t, p)
			for range 4 {
				budgets := slices.Clone(all[r.IntN(len(all))].costs)
				budgets[0] -= pick(r, 0, 0, 1)
				s, err := Joint(context.Background(), p, budgets, Options{})
				require.NoError(t, err)
				checkJoint(t, p, bruteJoint(all, budgets), s)
			}
		})
	}
}

// One cost is the single problem; a second copy of the same device changes nothing;
// neither does the order of the devices.
func TestJointReductions(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"mbv1_mdp_20", "rn50_mdp_04", "rn50_mdp_26", "rn101_mdp_02"} {
		p := readInstance(t, name)
		want, err := Optimum(ctx, p, p.Capacity, Options{})
		require.NoError(t, err)
		s, err := Joint(ctx, p, []int64{p.Capacity}, Options{})
		require.NoError(t, err)
		checkJoint(t, p, priced{want.Objective, []int64{want.Latency}}, s)
		twin := Cost{Name: "twin", Constant: p.Constant}
		for _, l := range p.Layers {
			twin.Layers = append(twin.Layers, l.Latency)
		}
		p.Costs = []Cost{twin}
		s, err = Joint(ctx, p, []int64{p.Capacity, p.Capacity}, Options{})
		require.NoError(t, err)
		checkJoint(t, p, priced{want.Objective, []int64{want.Latency, want.Latency}}, s)
	}
}

func TestJointOrderOfDevices(t *testing.T) {
	p := twoDevices(readInstance(t, "rn50_mdp_16"))
	budgets := budgetsOf(p)
	s, err := Joint(context.Background(), p, budgets, Options{})
	require.NoError(t, err)
	require.Equal(t, Optimal, s.Status)
	swapped := p.alone(1)
	swapped.Costs = []Cost{{Constant: p.Constant}}
	for _, l := range p.Layers {
		swapped.Costs[0].Layers = append(swapped.Costs[0].Layers, l.Latency)
	}
	slices.Reverse(budgets)
	other, err := Joint(context.Background(), swapped, budgets, Options{})
	require.NoError(t, err)
	require.Equal(t, s.Objective, other.Objective)
}

func TestJointLimits(t *testing.T) {
	p := twoDevices(readInstance(t, "rn50_mdp_08"))
	budgets := budgetsOf(p)
	want, err := Joint(context.Background(), p, budgets, Options{})
	require.NoError(t, err)
	for _, limit := range []int{1, 300, 3000} {
		s, err := Joint(context.Background(), p, budgets, Options{MaxLabels: limit})
		require.NoError(t, err)
		require.Contains(t, []Status{Feasible, Unknown, Optimal}, s.Status)
		require.GreaterOrEqual(t, s.Bound, want.Objective)
		require.LessOrEqual(t, s.Objective, want.Objective)
	}
	fine := resnet(resnet50, 16)
	fine.Capacity = share(fine, 0.5)
	fine = twoDevices(fine)
	for _, limit := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 30 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		s, err := Joint(ctx, fine, budgetsOf(fine), Options{})
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			continue
		}
		require.Contains(t, []Status{Feasible, Unknown, Optimal}, s.Status)
		require.GreaterOrEqual(t, s.Bound, s.Objective)
		for i, cost := range s.Costs {
			require.LessOrEqual(t, cost, s.Budgets[i])
		}
	}
	_, err = Joint(context.Background(), p, budgets[:1], Options{})
	require.ErrorContains(t, err, "1 budgets for 2 costs")
}

func TestCostsInJSON(t *testing.T) {
	p := withCosts(seeded("costs"), randomProblem(seeded("json"), "chain", 3, 3), 2)
	p.Groups[1].Allowed = []int{p.Groups[1].MinOption}
	p.Groups[1].MaxOption = p.Groups[1].MinOption
	var buf bytes.Buffer
	require.NoError(t, p.Write(&buf))
	back, err := ReadProblem(&buf)
	require.NoError(t, err)
	require.Equal(t, p, back)
	back.Costs[1].Layers = back.Costs[1].Layers[1:]
	require.ErrorContains(t, back.Validate(), "tables, the problem")
	back.Costs = append(back.Costs[:1], back.Costs[0], back.Costs[0])
	require.ErrorContains(t, back.Validate(), "at most 2")
}

// twoDevices adds a second device with the first one's tables bent: each layer
// up to twice as fast or slow, each cell off by up to 10 %.
func twoDevices(p *Problem) *Problem { return anotherDevice(p, "second") }

// anotherDevice gives the device the least budget that alone allows as much
// importance as the first one's does: with both, both bind.
func anotherDevice(p *Problem, name string) *Problem {
	r := seeded(name + " device of " + p.Name)
	c := Cost{Name: name, Unit: p.LatencyUnit, Constant: p.Constant}
	for _, l := range p.Layers {
		layer := 0.5 + 1.5*r.Float64()
		bent := func(row []int64) []int64 {
			out := slices.Clone(row)
			for i := range out {
				out[i] = int64(float64(out[i]) * layer * (0.9 + 0.2*r.Float64()))
			}
			return out
		}
		var t Table
		if l.Latency.Own != nil {
			t.Own = bent(l.Latency.Own)
		}
		for _, row := range l.Latency.Pair {
			t.Pair = append(t.Pair, bent(row))
		}
		c.Layers = append(c.Layers, t)
	}
	p.Costs = append(p.Costs, c)
	alone := p.alone(len(p.Costs))
	kept := func(p *Problem, budget int64) int64 {
		s, err := Optimum(context.Background(), p, budget, Options{})
		if err != nil {
			panic(err)
		}
		return s.Objective
	}
	want := kept(p, p.Capacity)
	p.Costs[len(p.Costs)-1].Capacity = int64(sort.Search(int(4*p.Capacity), func(budget int) bool {
		return kept(alone, int64(budget)) >= want
	}))
	return p
}

func budgetsOf(p *Problem) []int64 {
	budgets := []int64{p.Capacity}
	for _, c := range p.Costs {
		budgets = append(budgets, c.Capacity)
	}
	return budgets
}

// Every published problem, exactly: no gap is left.
func TestJointPublished(t *testing.T) {
	for _, o := range publishedOptima(t) {
		p := readInstance(t, o.Name)
		for _, device := range []string{"second", "third"} {
			p = anotherDevice(p, device)
			s, err := Joint(context.Background(), p, budgetsOf(p), Options{})
			require.NoError(t, err)
			require.Equal(t, Optimal, s.Status)
			require.LessOrEqual(t, s.Objective, o.Optimum)
			t.Logf("%s with a %s device: %d of %d alone, %d labels, %.1f ms", o.Name, device, s.Objective, o.Optimum, s.Labels, 1e3*s.Seconds)
		}
	}
}

func BenchmarkJoint(b *testing.B) {
	bench := func(name string, p *Problem) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var s JointSolution
			for b.Loop() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				var err error
				if s, err = Joint(ctx, p, budgetsOf(p), Options{}); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
			b.ReportMetric(float64(s.Labels), "labels")
			b.ReportMetric(100*s.Gap, "%gap")
		})
	}
	for _, o := range publishedOptima(b) {
		p := twoDevices(readInstance(b, o.Name))
		bench(o.Name+"/2", p)
		three := *p
		bench(o.Name+"/3", anotherDevice(&three, "third"))
	}
	for _, step := range []int{32, 16, 8} {
		p := resnet(resnet50, step)
		p.Capacity = share(p, 0.5)
		bench(fmt.Sprintf("rn50_step%d/2", step), twoDevices(p))
	}
}
