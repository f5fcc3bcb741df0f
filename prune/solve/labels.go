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
// configurations that no other beats in both latency and importance, whose
// fastest completion fits the budget, and whose best one reaches the wanted score. Each list is
// sorted by falling score, so the pairs that can matter form a staircase.
type labels struct {
	*tree
	multiplier
	budget  int64
	atLeast int64
	limit   int         // most labels to keep
	lists   [][][]label // node → entry → its labels
	shelf   shelf       // where they lie
	pairs   pairs       // candidates of one entry
}

// shelf holds the lists of one pass after another in pieces that never move:
// a slice grown by append would for a moment lie in memory twice.
type shelf struct {
	pieces [][]label
	at     int // the piece that is being filled
	kept   int // labels on the shelf
}

func (s *shelf) clear() {
	for i := range s.pieces {
		s.pieces[i] = s.pieces[i][:0]
	}
	s.at, s.kept = 0, 0
}

// put returns a copy that lasts until clear.
func (s *shelf) put(list []label) []label {
	if len(list) == 0 {
		return nil
	}
	for s.at < len(s.pieces) && cap(s.pieces[s.at])-len(s.pieces[s.at]) < len(list) {
		s.at++
	}
	if s.at == len(s.pieces) {
		s.pieces = append(s.pieces, make([]label, 0, max(256, s.kept/4, len(list))))
	}
	on := &s.pieces[s.at]
	*on = append(*on, list...)
	s.kept += len(list)
	return (*on)[len(*on)-len(list):]
}

// tooManyLabels says that a pass ran into its limit on labels.
type tooManyLabels struct{}

func (tooManyLabels) Error() string { return "label limit reached" }

// pass keeps what reaches the score atLeast. The tree t must have been through
// up at the same multiplier.
func (ls *labels) pass(ctx context.Context, t *tree, atLeast int64) error {
	ls.atLeast = atLeast
	ls.tree = t.filter(atLeast)
	ls.tree.leastRest()
	ls.tree.up(ls.multiplier)
	ls.tree.down(atLeast)
	ls.shelf.clear()
	ls.lists = slices.Grow(ls.lists[:0], len(ls.nodes))[:len(ls.nodes)]
	for i := range ls.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := &ls.nodes[i]
		ls.lists[i] = slices.Grow(ls.lists[i][:0], n.size)[:n.size]
		for e := range n.size {
			list := ls.pairs.all[:0]
			switch {
			case n.val[e]+n.comp[e] < ls.atLeast || n.rest[e] > ls.budget:
			case n.a >= 0:
				ls.gather(n, e)
				list = ls.pairs.front(ls.p)
			case n.lat[e] <= ls.budget-n.rest[e]:
				list = append(list, label{n.lat[e], n.val[e]})
			}
			ls.lists[i][e] = ls.shelf.put(list)
			if ls.shelf.kept > ls.limit {
				return tooManyLabels{}
			}
		}
	}
	return nil
}

// gather appends to ls.pairs every sum of children's labels that can matter to
// entry e.
func (ls *labels) gather(n *node, e int) {
	need, budget := ls.atLeast-n.comp[e], ls.budget-n.rest[e]
	ls.pairs.reset()
	if n.off >= 0 && 0 >= need && 0 <= budget {
		ls.pairs.all = append(ls.pairs.all, label{})
	}
	for k := range n.span {
		as := ls.lists[n.a][int(n.offA[e])+k]
		if n.b < 0 {
			for _, a := range as {
				if a.score < need {
					break
				}
				if a.latency <= budget {
					ls.pairs.all = append(ls.pairs.all, a)
				}
			}
			continue
		}
		bs := ls.lists[n.b][int(n.offB[e])+k]
		if len(bs) == 0 {
			continue
		}
		for _, a := range as {
			rest, room := need-a.score, budget-a.latency
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
	for i, l := range ls.lists[len(ls.nodes)-1][0] {
		if i == 0 || l.latency > best.latency {
			best, ok = l, true
		}
	}
	return best, ok
}

func (ls *labels) trace(root label) choice {
	return trace(ls.tree, root,
		func(i, e int) []label { return ls.lists[i][e] },
		func(a, b label) label { return label{a.latency - b.latency, a.score - b.score} })
}

// trace returns the configuration behind a label of the root, of labels whose sums lie in
// lists, an entry's each. Each step looks the sum up again in the children's lists: no
// label carries a pointer.
func trace[L comparable](t *tree, root L, list func(node, entry int) []L, minus func(a, b L) L) choice {
	c := t.newChoice()
	var nothing L
	var find func(i, e int, want L)
	find = func(i, e int, want L) {
		n := &t.nodes[i]
		if n.a < 0 {
			return
		}
		if n.off >= 0 {
			if want == nothing {
				return
			}
			c.blocks[n.off] = true
		}
		for k := range n.span {
			for _, a := range list(n.a, int(n.offA[e])+k) {
				rest := minus(want, a)
				if n.b < 0 && rest != nothing ||
					n.b >= 0 && !slices.Contains(list(n.b, int(n.offB[e])+k), rest) {
					continue
				}
				if n.elim >= 0 {
					c.options[n.elim] = int(t.keep[n.elim][k])
				}
				find(n.a, int(n.offA[e])+k, a)
				if n.b >= 0 {
					find(n.b, int(n.offB[e])+k, rest)
				}
				return
			}
		}
	}
	find(len(t.nodes)-1, 0, root)
	return c
}
