package solve

import (
	"cmp"
	"fmt"
	"slices"
)

// A plan says in which order the groups are eliminated. It is a binary tree:
// a leaf is the sum of some layers' tables, a join adds two tables and, where
// it eliminates a group, keeps the best of that group's options. A block's
// own groups are eliminated first, inside the block; what is left of it is one
// table over the groups it shares with others, united with "off".
//
// Nodes stand in evaluation order: children first, the root (scope empty) last.
type plan struct {
	problem *Problem
	nodes   []planNode
}

type planNode struct {
	scope  []int // groups of the table; the one the parent eliminates stands last
	elim   int   // group eliminated here, −1 none
	a, b   int   // children; b is −1 for a plain elimination, both for a leaf
	off    int   // block that may be switched off here, −1 none
	layers []int // of a leaf
}

// maxEntries bounds one table; beyond it the problem's graph is too entangled.
const maxEntries = 1 << 24

const always = -1 // the block of layers that cannot go

func newPlan(p *Problem) (*plan, error) {
	b := planner{plan: &plan{problem: p}, block: map[int][]int{}}
	b.addLeaves()
	users := map[int]map[int]bool{} // group → blocks whose tables touch it
	for block, nodes := range b.block {
		for _, i := range nodes {
			for _, g := range b.nodes[i].scope {
				if users[g] == nil {
					users[g] = map[int]bool{}
				}
				users[g][block] = true
			}
		}
	}
	var shared []int
	for block := range p.Blocks {
		nodes := b.block[block]
		if len(nodes) == 0 {
			continue
		}
		var own []int
		for _, g := range b.groupsOf(nodes) {
			if len(users[g]) == 1 {
				own = append(own, g)
			}
		}
		nodes, err := b.eliminate(nodes, own)
		if err != nil {
			return nil, err
		}
		root, err := b.joinAll(nodes)
		if err != nil {
			return nil, err
		}
		if b.nodes[root].a < 0 {
			root = b.add(planNode{scope: b.nodes[root].scope, elim: -1, a: root, b: -1, off: -1})
		}
		b.nodes[root].off = block // never a leaf
		shared = append(shared, root)
	}
	shared = append(shared, b.block[always]...)
	shared, err := b.eliminate(shared, b.groupsOf(shared))
	if err != nil {
		return nil, err
	}
	if len(shared) == 0 {
		shared = append(shared, b.add(planNode{elim: -1, a: -1, b: -1, off: -1}))
	}
	if _, err := b.joinAll(shared); err != nil {
		return nil, err
	}
	return b.plan, nil
}

type planner struct {
	*plan
	block map[int][]int // removable block, or always → its leaves
}

func (b *planner) add(n planNode) int {
	b.nodes = append(b.nodes, n)
	return len(b.nodes) - 1
}

// addLeaves sums, block by block, the tables over the same groups, and puts
// each smaller table into one that covers it.
func (b *planner) addLeaves() {
	type piece struct {
		scope []int
		layer int
	}
	pieces := map[int][]piece{}
	for i, l := range b.problem.Layers {
		block := l.Block
		if !b.problem.Blocks[block].Prunable {
			block = always
		}
		pieces[block] = append(pieces[block], piece{b.layerScope(i), i})
	}
	for block := always; block < len(b.problem.Blocks); block++ {
		list := pieces[block]
		slices.SortStableFunc(list, func(x, y piece) int { return cmp.Compare(len(y.scope), len(x.scope)) })
	next:
		for _, pc := range list {
			for _, i := range b.block[block] {
				if subset(pc.scope, b.nodes[i].scope) {
					b.nodes[i].layers = append(b.nodes[i].layers, pc.layer)
					continue next
				}
			}
			leaf := planNode{scope: pc.scope, elim: -1, a: -1, b: -1, off: -1, layers: []int{pc.layer}}
			b.block[block] = append(b.block[block], b.add(leaf))
		}
	}
}

// layerScope returns the groups a layer's value depends on; a group with one
// allowed option is no variable.
func (b *planner) layerScope(layer int) []int {
	var scope []int
	l := b.problem.Layers[layer]
	pair := l.Latency.Pair != nil
	for _, c := range b.problem.Costs {
		pair = pair || c.Layers[layer].Pair != nil
	}
	free := func(g int) bool { return g >= 0 && b.options(g) > 1 }
	if free(l.Group) {
		scope = append(scope, l.Group)
	}
	if pair && l.PrevGroup != l.Group && free(l.PrevGroup) {
		scope = append(scope, l.PrevGroup)
	}
	return scope
}

func (b *planner) options(g int) int {
	return b.problem.Groups[g].count()
}

// eliminate removes the given groups from the tables and returns the tables
// left. The next group is the one that ties fewest new pairs of groups
// together (min-fill), then the cheapest, then the first.
func (b *planner) eliminate(nodes, groups []int) ([]int, error) {
	groups = slices.Clone(groups)
	for len(groups) > 0 {
		best, bestFill, bestCost := 0, 0, 0.0
		for i, g := range groups {
			fill, cost := b.price(nodes, g)
			if i == 0 || fill < bestFill || fill == bestFill && cost < bestCost {
				best, bestFill, bestCost = i, fill, cost
			}
		}
		g := groups[best]
		groups = slices.Delete(groups, best, best+1)
		var touching, rest []int
		for _, i := range nodes {
			if slices.Contains(b.nodes[i].scope, g) {
				touching = append(touching, i)
			} else {
				rest = append(rest, i)
			}
		}
		last, err := b.joinUntil(touching, 2)
		if err != nil {
			return nil, err
		}
		for _, i := range last {
			b.nodes[i].scope = append(slices.DeleteFunc(b.nodes[i].scope, func(v int) bool { return v == g }), g)
		}
		n := planNode{elim: g, a: last[0], b: -1, off: -1}
		scope := b.nodes[last[0]].scope
		if len(last) == 2 {
			n.b = last[1]
			scope = union(scope, b.nodes[last[1]].scope)
		}
		n.scope = slices.DeleteFunc(slices.Clone(scope), func(v int) bool { return v == g })
		if err := b.checkSize(n.scope); err != nil {
			return nil, err
		}
		nodes = append(rest, b.add(n))
	}
	return nodes, nil
}

// price returns how many pairs of groups eliminating g would newly tie, and
// the entries of the table it goes through.
func (b *planner) price(nodes []int, g int) (fill int, cost float64) {
	tied := map[[2]int]bool{}
	var around []int
	for _, i := range nodes {
		scope := b.nodes[i].scope
		for _, u := range scope {
			for _, v := range scope {
				tied[[2]int{u, v}] = true
			}
		}
		if slices.Contains(scope, g) {
			around = union(around, scope)
		}
	}
	cost = 1
	for i, u := range around {
		cost *= float64(b.options(u))
		for _, v := range around[i+1:] {
			if !tied[[2]int{u, v}] {
				fill++
			}
		}
	}
	return fill, cost
}

func (b *planner) joinAll(nodes []int) (int, error) {
	nodes, err := b.joinUntil(nodes, 1)
	if err != nil {
		return 0, err
	}
	return nodes[0], nil
}

// joinUntil adds tables up, two at a time and smallest sum first, until at
// most n are left. Among equals the running sum goes first: adding one short
// list at a time keeps its own lists short as well.
func (b *planner) joinUntil(nodes []int, n int) ([]int, error) {
	nodes = slices.Clone(nodes)
	for len(nodes) > n {
		bi, bj, bestCost := 0, 1, -1.0
		for i, u := range nodes {
			for j := i + 1; j < len(nodes); j++ {
				cost := 1.0
				for _, g := range union(b.nodes[u].scope, b.nodes[nodes[j]].scope) {
					cost *= float64(b.options(g))
				}
				if bestCost < 0 || cost < bestCost {
					bi, bj, bestCost = i, j, cost
				}
			}
		}
		scope := union(b.nodes[nodes[bi]].scope, b.nodes[nodes[bj]].scope)
		if err := b.checkSize(scope); err != nil {
			return nil, err
		}
		sum := b.add(planNode{scope: scope, elim: -1, a: nodes[bi], b: nodes[bj], off: -1})
		nodes = slices.Delete(nodes, bj, bj+1)
		nodes = slices.Insert(slices.Delete(nodes, bi, bi+1), 0, sum)
	}
	return nodes, nil
}

func (b *planner) checkSize(scope []int) error {
	entries := 1.0
	for _, g := range scope {
		entries *= float64(b.options(g))
	}
	if entries > maxEntries {
		return fmt.Errorf("problem %q: groups %v must be decided together, %.3g combinations (at most %d): use larger channel steps",
			b.problem.Name, scope, entries, maxEntries)
	}
	return nil
}

func (b *planner) groupsOf(nodes []int) []int {
	var all []int
	for _, i := range nodes {
		all = union(all, b.nodes[i].scope)
	}
	slices.Sort(all)
	return all
}

// union returns the members of u, then those of v that u lacks.
func union(u, v []int) []int {
	out := slices.Clone(u)
	for _, x := range v {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func subset(u, v []int) bool { return len(union(v, u)) == len(v) }
