package solve

import (
	"cmp"
	"context"
	"slices"
	"sort"
)

// jointLabel is a partial configuration, as label is, with several costs.
type jointLabel struct {
	score int64
	costs costs
}

// jointLabels is the label pass of several costs: it keeps, for every entry of
// every node, by falling score, the partial configurations that no other beats
// in importance and every cost, that fit the budgets, and whose best
// completion reaches the wanted score.
type jointLabels struct {
	*tree
	prices
	budget  costs
	atLeast int64
	limit   int       // most labels to keep
	start   [][]int32 // node → entry → first label; one more at the end
	kept    []jointLabel
	all     []jointLabel // candidates of one entry
	stairs  stairs
}

// pass keeps what reaches the score atLeast.
func (ls *jointLabels) pass(ctx context.Context, t *tree, atLeast int64) error {
	ls.atLeast = atLeast
	t.upAt(ls.prices)
	if ls.tree = t.filter(atLeast); ls.tree != t {
		ls.tree.upAt(ls.prices)
		ls.tree.down(atLeast)
	}
	ls.kept = ls.kept[:0]
	ls.start = make([][]int32, len(ls.nodes))
	for i := range ls.nodes {
		n := &ls.nodes[i]
		start := make([]int32, n.size+1)
		ls.start[i] = start
		for e := range n.size {
			if err := ctx.Err(); err != nil {
				return err
			}
			start[e] = int32(len(ls.kept))
			if n.val[e]+n.comp[e] < ls.atLeast {
				continue
			}
			if n.a < 0 {
				if l := (jointLabel{n.val[e], n.costs(e)}); l.costs.within(ls.budget) {
					ls.kept = append(ls.kept, l)
				}
				continue
			}
			if err := ls.gather(ctx, n, e); err != nil {
				return err
			}
			ls.kept = append(ls.kept, ls.front()...)
			if len(ls.kept) > ls.limit {
				return tooManyLabels{}
			}
		}
		start[n.size] = int32(len(ls.kept))
	}
	return nil
}

func (ls *jointLabels) list(i, e int) []jointLabel {
	return ls.kept[ls.start[i][e]:ls.start[i][e+1]]
}

// gather collects every sum of children's labels that can matter to entry e.
func (ls *jointLabels) gather(ctx context.Context, n *node, e int) error {
	need := ls.atLeast - n.comp[e]
	ls.all = ls.all[:0]
	full := 1 << 14
	if n.off >= 0 && 0 >= need {
		ls.all = append(ls.all, jointLabel{})
	}
	for k := range n.span {
		as := ls.list(n.a, int(n.offA[e])+k)
		bs := []jointLabel{{}}
		if n.b >= 0 {
			bs = ls.list(n.b, int(n.offB[e])+k)
		}
		if len(bs) == 0 {
			continue
		}
		for _, a := range as {
			rest, room := need-a.score, ls.budget.minus(a.costs)
			if bs[0].score < rest {
				break
			}
			for _, b := range bs {
				if b.score < rest {
					break
				}
				if b.costs.within(room) {
					ls.all = append(ls.all, jointLabel{a.score + b.score, a.costs.plus(b.costs)})
				}
			}
			if len(ls.all) >= full {
				if err := ctx.Err(); err != nil {
					return err
				}
				ls.all = ls.front()
				full = max(full, 2*len(ls.all))
				if len(ls.all) > ls.limit {
					return tooManyLabels{}
				}
			}
		}
	}
	return nil
}

// front returns the candidates that no other beats, by falling score.
func (ls *jointLabels) front() []jointLabel {
	slices.SortFunc(ls.all, func(a, b jointLabel) int {
		if c := cmp.Compare(a.costs[0], b.costs[0]); c != 0 {
			return c
		}
		if c := slices.Compare(a.costs[1:], b.costs[1:]); c != 0 {
			return c
		}
		return cmp.Compare(b.score, a.score)
	})
	ls.stairs.reset(ls.all)
	n := 0
	for _, l := range ls.all {
		if ls.stairs.add(l.costs[1], l.costs[2], l.score+ls.of(l.costs)) {
			ls.all[n] = l
			n++
		}
	}
	ls.all = ls.all[:n]
	slices.SortFunc(ls.all, func(a, b jointLabel) int {
		return cmp.Or(cmp.Compare(b.score, a.score), slices.Compare(a.costs[:], b.costs[:]))
	})
	return ls.all
}

// stairs answers, for labels that come by rising first cost, whether an
// earlier one beats a new one in the other two costs and in importance. It is a
// Fenwick tree over the ranks of the second cost; each of its nodes holds the
// stair of third cost against importance.
type stairs struct {
	ranks []int64 // distinct second costs, ascending
	nodes [][]step
}

type step struct{ cost, worth int64 } // both rise along a stair

func (s *stairs) reset(all []jointLabel) {
	s.ranks = s.ranks[:0]
	for _, l := range all {
		s.ranks = append(s.ranks, l.costs[1])
	}
	slices.Sort(s.ranks)
	s.ranks = slices.Compact(s.ranks)
	if n := len(s.ranks) + 1; cap(s.nodes) < n {
		s.nodes = append(s.nodes[:cap(s.nodes)], make([][]step, n-cap(s.nodes))...)
	} else {
		s.nodes = s.nodes[:n]
	}
	for i := range s.nodes {
		s.nodes[i] = s.nodes[i][:0]
	}
}

// add puts a label in, or reports false: an earlier one is as good in all.
func (s *stairs) add(second, third, worth int64) bool {
	rank, _ := slices.BinarySearch(s.ranks, second)
	for i := rank + 1; i > 0; i -= i & -i {
		stair := s.nodes[i]
		at := sort.Search(len(stair), func(k int) bool { return stair[k].cost > third })
		if at > 0 && stair[at-1].worth >= worth {
			return false
		}
	}
	for i := rank + 1; i < len(s.nodes); i += i & -i {
		stair := s.nodes[i]
		from := sort.Search(len(stair), func(k int) bool { return stair[k].cost >= third })
		if from > 0 && stair[from-1].worth >= worth {
			continue
		}
		to := from
		for to < len(stair) && stair[to].worth <= worth {
			to++
		}
		s.nodes[i] = slices.Replace(stair, from, to, step{third, worth})
	}
	return true
}

// most returns the root's label of most importance, the least costly of equals.
func (ls *jointLabels) most() (best jointLabel, ok bool) {
	worth := int64(0)
	for _, l := range ls.list(len(ls.nodes)-1, 0) {
		v := l.score + ls.of(l.costs)
		if !ok || v > worth || v == worth && slices.Compare(l.costs[:], best.costs[:]) < 0 {
			best, worth, ok = l, v, true
		}
	}
	return best, ok
}

func (ls *jointLabels) trace(root jointLabel) choice {
	return trace(ls.tree, root, ls.list, func(a, b jointLabel) jointLabel {
		return jointLabel{a.score - b.score, a.costs.minus(b.costs)}
	})
}
