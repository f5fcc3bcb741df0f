package solve

import (
	"cmp"
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
	pairs   []label // scratch: candidates of one entry
	peak    []int64 // scratch of pareto
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
			ls.pareto()
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

// gather collects in ls.pairs every sum of children's labels that can matter
// to entry e.
func (ls *labels) gather(n *node, e int) {
	need := ls.atLeast - n.comp[e]
	pairs := ls.pairs[:0]
	if n.off >= 0 && 0 >= need {
		pairs = append(pairs, label{})
	}
	for k := range n.span {
		as := ls.list(n.a, int(n.offA[e])+k)
		if n.b < 0 {
			for _, a := range as {
				if a.score < need {
					break
				}
				pairs = append(pairs, a)
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
			for _, b := range bs {
				if b.score < rest {
					break
				}
				if b.latency <= room {
					pairs = append(pairs, label{a.latency + b.latency, a.score + b.score})
				}
			}
		}
		if len(pairs) > 1<<22 {
			pairs = ls.compact(pairs)
		}
	}
	ls.pairs = pairs
}

// compact drops beaten pairs early, so that scratch memory stays bounded.
func (ls *labels) compact(pairs []label) []label {
	ls.pairs = pairs
	from := len(ls.kept)
	ls.pareto()
	pairs = append(ls.pairs[:0], ls.kept[from:]...)
	ls.kept = ls.kept[:from]
	return pairs
}

// pareto appends to ls.kept those of ls.pairs that no other beats, by falling score.
func (ls *labels) pareto() {
	pairs := ls.pairs
	if len(pairs) > 32 {
		pairs = ls.thin(pairs)
	}
	slices.SortFunc(pairs, func(a, b label) int {
		if c := cmp.Compare(a.latency, b.latency); c != 0 {
			return c
		}
		return cmp.Compare(b.score, a.score)
	})
	from := len(ls.kept)
	most := int64(none) * 2
	for _, l := range pairs {
		if v := l.score + ls.p*l.latency; v > most {
			most = v
			ls.kept = append(ls.kept, l)
		}
	}
	slices.SortFunc(ls.kept[from:], func(a, b label) int { return cmp.Compare(b.score, a.score) })
}

// thin removes, in time linear in the pairs, most of those that are beaten: it
// throws them into buckets by latency and keeps what beats every lower bucket.
func (ls *labels) thin(pairs []label) []label {
	lo, hi := pairs[0].latency, pairs[0].latency
	for _, l := range pairs {
		lo, hi = min(lo, l.latency), max(hi, l.latency)
	}
	shift := 0
	for (hi-lo)>>shift >= int64(4*len(pairs)) {
		shift++
	}
	buckets := int((hi-lo)>>shift) + 1
	peak := slices.Grow(ls.peak[:0], buckets)[:buckets]
	ls.peak = peak
	for i := range peak {
		peak[i] = 2 * none
	}
	for _, l := range pairs {
		k := (l.latency - lo) >> shift
		peak[k] = max(peak[k], l.score+ls.p*l.latency)
	}
	most := int64(2 * none)
	for k, v := range peak {
		peak[k] = most // best of the lower buckets
		most = max(most, v)
	}
	n := 0
	for _, l := range pairs {
		if l.score+ls.p*l.latency > peak[(l.latency-lo)>>shift] {
			pairs[n] = l
			n++
		}
	}
	return pairs[:n]
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
