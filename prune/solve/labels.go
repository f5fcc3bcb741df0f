package solve

import (
	"context"
	"slices"
)

// label is a partial configuration that may still be part of an answer: what
// it costs, and its score at the pass's multiplier (its importance is
// (score + p·latency) / q).
type label struct{ latency, score int64 }

// labels is one bottom-up pass. For every entry of every node it keeps the
// configurations that no other beats in both latency and importance, that
// fit the budget, and whose best completion reaches the wanted score. Each list is
// sorted by falling score, so the pairs that can matter form a staircase.
type labels struct {
	*tree
	multiplier
	budget  int64
	atLeast int64
	limit   int       // most labels to keep
	start   [][]int32 // node → entry → first label; one more at the end
	kept    []label
	pairs   pairs // candidates of one entry
}

// tooManyLabels says that a pass ran into its limit on labels.
type tooManyLabels struct{}

func (tooManyLabels) Error() string { return "label limit reached" }

// pass keeps what reaches the score atLeast. The tree t must have been through
// up at the same multiplier.
func (ls *labels) pass(ctx context.Context, t *tree, atLeast int64) error {
	ls.atLeast = atLeast
	if ls.tree = t.filter(atLeast); ls.tree != t {
		ls.tree.up(ls.multiplier)
		ls.tree.down(atLeast)
	}
	ls.kept = ls.kept[:0]
	ls.start = slices.Grow(ls.start[:0], len(ls.nodes))[:len(ls.nodes)]
	for i := range ls.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := &ls.nodes[i]
		start := slices.Grow(ls.start[i][:0], n.size+1)[:n.size+1]
		ls.start[i] = start
		for e := range n.size {
			start[e] = int32(len(ls.kept))
			if n.val[e]+n.comp[e] < ls.atLeast {
				continue
			}
			if n.a < 0 {
				if n.lat[e] <= ls.budget {
					ls.kept = append(ls.kept, label{n.lat[e], n.val[e]})
				}
				continue
			}
			ls.gather(n, e)
			ls.kept = append(ls.kept, ls.pairs.front(ls.p)...)
			if len(ls.kept) > ls.limit {
				return tooManyLabels{}
			}
		}
		start[n.size] = int32(len(ls.kept))
	}
	return nil
}

// list returns the labels of entry e of node i.
func (ls *labels) list(i, e int) []label {
	return ls.kept[ls.start[i][e]:ls.start[i][e+1]]
}

// gather appends to ls.pairs every sum of children's labels that can matter to
// entry e.
func (ls *labels) gather(n *node, e int) {
	need := ls.atLeast - n.comp[e]
	ls.pairs.reset()
	if n.off >= 0 && 0 >= need {
		ls.pairs.all = append(ls.pairs.all, label{})
	}
	for k := range n.span {
		as := ls.list(n.a, int(n.offA[e])+k)
		if n.b < 0 {
			for _, a := range as {
				if a.score < need {
					break
				}
				ls.pairs.all = append(ls.pairs.all, a)
			}
			continue
		}
		bs := ls.list(n.b, int(n.offB[e])+k)
		if len(bs) == 0 {
			continue
		}
		for _, a := range as {
			rest, room := need-a.score, ls.budget-a.latency
			if bs[0].score < rest {
				break
			}
			all := ls.pairs.all
			for _, b := range bs {
				if b.score < rest {
					break
				}
				if b.latency <= room {
					all = append(all, label{a.latency + b.latency, a.score + b.score})
				}
			}
			ls.pairs.all = all
			if len(all) >= ls.pairs.full {
				ls.pairs.shrink(ls.p)
			}
		}
	}
}

// most returns the root's label of most importance.
func (ls *labels) most() (best label, ok bool) {
	for i, l := range ls.list(len(ls.nodes)-1, 0) {
		if i == 0 || l.latency > best.latency {
			best, ok = l, true
		}
	}
	return best, ok
}

// trace returns the configuration behind a label of the root. Each step looks
// the sum up again in the children's lists: no label carries a pointer.
func (ls *labels) trace(root label) choice {
	c := ls.newChoice()
	var find func(i, e int, want label)
	find = func(i, e int, want label) {
		n := &ls.nodes[i]
		if n.a < 0 {
			return
		}
		if n.off >= 0 {
			if want == (label{}) {
				return
			}
			c.blocks[n.off] = true
		}
		for k := range n.span {
			for _, a := range ls.list(n.a, int(n.offA[e])+k) {
				rest := label{want.latency - a.latency, want.score - a.score}
				if n.b < 0 && rest != (label{}) ||
					n.b >= 0 && !slices.Contains(ls.list(n.b, int(n.offB[e])+k), rest) {
					continue
				}
				if n.elim >= 0 {
					c.options[n.elim] = int(ls.keep[n.elim][k])
				}
				find(n.a, int(n.offA[e])+k, a)
				if n.b >= 0 {
					find(n.b, int(n.offB[e])+k, rest)
				}
				return
			}
		}
	}
	find(len(ls.nodes)-1, 0, root)
	return c
}
