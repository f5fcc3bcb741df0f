package solve

// tree is a plan with its tables filled in, for the options still in play.
// Every table is dense, row-major over its node's scope.
type tree struct {
	plan  *plan
	keep  [][]int32 // group → options in play, ascending
	nodes []node
	work  int // pairs of entries that one scalar pass adds up
}

// node is one table. A join's entry e is
//
//	max over i < span of a[offA[e]+i] + b[offB[e]+i]
//
// where i runs over the options of the eliminated group (span 1 if none), which
// both children hold as their last, contiguous dimension.
type node struct {
	*planNode
	size, span int
	offA, offB []int32
	lat, imp   []int64   // a leaf's table
	more       [][]int64 // a leaf's further costs, one table each
	val        []int64   // best score of the entry, from below
	comp       []int64   // best score of everything else, given the entry
	rest       []int64   // least latency of everything else, given the entry; see leastRest
}

// newTree fills the plan's tables with the given options of each group.
func newTree(pl *plan, keep [][]int32) *tree {
	t := &tree{plan: pl, keep: keep, nodes: make([]node, len(pl.nodes))}
	words, offsets := 0, 0
	for i := range pl.nodes {
		n := &t.nodes[i]
		n.planNode = &pl.nodes[i]
		n.size, n.span = 1, 1
		for _, g := range n.scope {
			n.size *= len(keep[g])
		}
		words += 3 * n.size
		if n.a < 0 {
			words += (2 + len(pl.problem.Costs)) * n.size
			continue
		}
		if n.elim >= 0 {
			n.span = len(keep[n.elim])
		}
		t.work += n.size * n.span
		offsets += n.size
		if n.b >= 0 {
			offsets += n.size
		}
	}
	// One allocation for all tables: trees are rebuilt often.
	slab, offs := make([]int64, words), make([]int32, offsets)
	cut := func(n int) []int64 {
		s := slab[:n:n]
		slab = slab[n:]
		return s
	}
	cutOff := func(n int) []int32 {
		s := offs[:n:n]
		offs = offs[n:]
		return s
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		n.val, n.comp, n.rest = cut(n.size), cut(n.size), cut(n.size)
		if n.a < 0 {
			n.lat, n.imp = cut(n.size), cut(n.size)
			for range pl.problem.Costs {
				n.more = append(n.more, cut(n.size))
			}
			t.fillLeaf(n)
			continue
		}
		n.offA = cutOff(n.size)
		t.fillOffsets(n.offA, n.scope, t.nodes[n.a].scope)
		if n.b >= 0 {
			n.offB = cutOff(n.size)
			t.fillOffsets(n.offB, n.scope, t.nodes[n.b].scope)
		}
	}
	return t
}

// wholeTree keeps every option the problem allows.
func wholeTree(pl *plan) *tree {
	keep := make([][]int32, len(pl.problem.Groups))
	for i, g := range pl.problem.Groups {
		for o := range g.choices() {
			keep[i] = append(keep[i], int32(o))
		}
	}
	return newTree(pl, keep)
}

func (t *tree) root() *node { return &t.nodes[len(t.nodes)-1] }

// fillOffsets sets off[e] to where the entry e, over the groups of scope, lies
// in a child's table; groups the child lacks do not move it.
func (t *tree) fillOffsets(off []int32, scope, child []int) {
	off[0] = 0
	done := 1
	for s := len(scope) - 1; s >= 0; s-- {
		stride := int32(0)
		for c, g := range child {
			if g == scope[s] {
				stride = 1
				for _, h := range child[c+1:] {
					stride *= int32(len(t.keep[h]))
				}
			}
		}
		for i := 1; i < len(t.keep[scope[s]]); i++ {
			base := int32(i) * stride
			for k, o := range off[:done] {
				off[i*done+k] = base + o
			}
		}
		done *= len(t.keep[scope[s]])
	}
}

// fillLeaf adds up the tables of the leaf's layers, over at most two groups.
func (t *tree) fillLeaf(n *node) {
	p := t.plan.problem
	outer, inner := -1, -1
	switch len(n.scope) {
	case 1:
		inner = n.scope[0]
	case 2:
		outer, inner = n.scope[0], n.scope[1]
	}
	for _, i := range n.layers {
		l := &p.Layers[i]
		e := 0
		for _, u := range t.optionsOf(outer) {
			for _, v := range t.optionsOf(inner) {
				option := func(g int) int {
					switch {
					case g < 0:
						return 0
					case g == outer:
						return int(u)
					case g == inner:
						return int(v)
					}
					return p.Groups[g].MinOption // the only one
				}
				own, prev := option(l.Group), option(l.PrevGroup)
				n.lat[e] += l.Latency.At(own, prev)
				n.imp[e] += l.importance(own)
				for k := range n.more {
					n.more[k][e] += p.Costs[k].Layers[i].At(own, prev)
				}
				e++
			}
		}
	}
}

var fixedSide = []int32{0}

func (t *tree) optionsOf(group int) []int32 {
	if group < 0 {
		return fixedSide
	}
	return t.keep[group]
}
