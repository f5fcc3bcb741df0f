package solve

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// plainFront finds the whole front by another exact algorithm: plain variable elimination with
// Pareto lists, no bounds, a block's bit being one more variable. It shares no code with the solver.
func plainFront(p *Problem) []Point {
	sizes := make([]int, len(p.Groups)+len(p.Blocks)) // values of each variable: groups, then bits
	for g, group := range p.Groups {
		sizes[g] = group.MaxOption - group.MinOption + 1
	}
	for b, block := range p.Blocks {
		sizes[len(p.Groups)+b] = 1
		if block.Prunable {
			sizes[len(p.Groups)+b] = 2
		}
	}
	tables := []plainTable{{front: [][]Point{{{p.Constant, 0}}}}}
	for _, l := range p.Layers {
		t := plainTable{scope: []int{len(p.Groups) + l.Block}}
		for _, g := range []int{l.Group, l.PrevGroup} {
			if g >= 0 && !slices.Contains(t.scope, g) {
				t.scope = append(t.scope, g)
			}
		}
		t.each(sizes, func(value map[int]int) {
			if value[len(p.Groups)+l.Block] == 1 { // the second value is off
				t.front = append(t.front, []Point{{}})
				return
			}
			option := func(g int) int {
				if g < 0 {
					return 0
				}
				return p.Groups[g].MinOption + value[g]
			}
			own := option(l.Group)
			t.front = append(t.front, []Point{{l.Latency.At(own, option(l.PrevGroup)), l.importance(own)}})
		})
		tables = append(tables, t)
	}
	left := make([]bool, len(sizes))
	for range sizes {
		best, cost := -1, 0
		for v := range sizes {
			c := 1
			for _, u := range plainScope(tables, v) {
				c *= sizes[u]
			}
			if !left[v] && (best < 0 || c < cost) {
				best, cost = v, c
			}
		}
		left[best] = true
		tables = plainEliminate(tables, best, sizes)
	}
	front := []Point{{}}
	for _, t := range tables {
		front = plainSum(front, t.front[0])
	}
	return front
}

type plainTable struct {
	scope []int
	front [][]Point // one list per assignment, the last variable of the scope changing fastest
}

func (t plainTable) each(sizes []int, visit func(value map[int]int)) {
	value := map[int]int{}
	var rec func(i int)
	rec = func(i int) {
		if i == len(t.scope) {
			visit(value)
			return
		}
		for k := range sizes[t.scope[i]] {
			value[t.scope[i]] = k
			rec(i + 1)
		}
	}
	rec(0)
}

func (t plainTable) at(value map[int]int, sizes []int) []Point {
	i := 0
	for _, v := range t.scope {
		i = i*sizes[v] + value[v]
	}
	return t.front[i]
}

func plainScope(tables []plainTable, v int) []int {
	scope := []int{v}
	for _, t := range tables {
		if slices.Contains(t.scope, v) {
			for _, u := range t.scope {
				if !slices.Contains(scope, u) {
					scope = append(scope, u)
				}
			}
		}
	}
	return scope
}

func plainEliminate(tables []plainTable, v int, sizes []int) []plainTable {
	out := plainTable{scope: plainScope(tables, v)[1:]}
	var touching, rest []plainTable
	for _, t := range tables {
		if slices.Contains(t.scope, v) {
			touching = append(touching, t)
		} else {
			rest = append(rest, t)
		}
	}
	out.each(sizes, func(value map[int]int) {
		var all []Point
		for k := range sizes[v] {
			value[v] = k
			sum := []Point{{}}
			for _, t := range touching {
				sum = plainSum(sum, t.at(value, sizes))
			}
			all = append(all, sum...)
		}
		out.front = append(out.front, plainPareto(all))
	})
	return append(rest, out)
}

func plainSum(a, b []Point) []Point {
	var all []Point
	for _, x := range a {
		for _, y := range b {
			all = append(all, Point{x.Latency + y.Latency, x.Importance + y.Importance})
		}
	}
	return plainPareto(all)
}

func plainPareto(all []Point) []Point {
	best := map[int64]int64{}
	for _, x := range all {
		if v, ok := best[x.Latency]; !ok || x.Importance > v {
			best[x.Latency] = x.Importance
		}
	}
	return frontOf(best)
}

func TestAgainstPlainElimination(t *testing.T) {
	problems := map[string]*Problem{
		"resnet-211": resnet([]int{2, 1, 1}, 128),
		"resnet-121": resnet([]int{1, 2, 1}, 128),
		"mobilenet":  coarse(readInstance(t, "mbv1_mdp_20")),
	}
	for _, shape := range shapes {
		for i := range 5 {
			name := fmt.Sprintf("plain-%s-%d", shape, i)
			problems[name] = randomProblem(seeded(name), shape, 8, 5)
		}
	}
	for name, p := range problems {
		t.Run(name, func(t *testing.T) {
			want := plainFront(p)
			front, err := wholeFront(context.Background(), p, Options{})
			require.NoError(t, err)
			require.Equal(t, want, front)
			r := seeded(name)
			for range 10 {
				budget := want[0].Latency + r.Int64N(want[len(want)-1].Latency-want[0].Latency+2)
				s, err := Optimum(context.Background(), p, budget, Options{})
				require.NoError(t, err)
				checkAnswer(t, p, want, s)
			}
		})
	}
}

// coarse rounds latencies to 100 units, so that plain elimination ends soon.
func coarse(p *Problem) *Problem {
	for _, l := range p.Layers {
		for _, row := range append([][]int64{l.Latency.Own}, l.Latency.Pair...) {
			for i := range row {
				row[i] = row[i] / 100 * 100
			}
		}
	}
	return p
}
