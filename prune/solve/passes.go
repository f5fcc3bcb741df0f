package solve

import (
	"math/bits"
	"slices"
	"sort"
)

// multiplier is the price of latency, λ = p/q importance per unit of latency.
// The score of a configuration is q·importance − p·latency: by Lagrangian
// duality no configuration within a budget C keeps more importance than
// (best score + p·C) / q.
type multiplier struct{ p, q int64 }

func (m multiplier) score(pt Point) int64 { return m.q*pt.Importance - m.p*pt.Latency }

// maxScore bounds every score, so that sums of them stay in an int64.
const maxScore = 1 << 60

// slope returns the slope of the chord from a to b, or the nearest simpler
// fraction with which no score of the problem exceeds maxScore. Any multiplier
// gives a valid bound; a rounded one is only a little less sharp.
func (r ranges) slope(a, b Point) multiplier {
	p, q := b.Importance-a.Importance, b.Latency-a.Latency
	if p <= 0 || q <= 0 {
		return multiplier{0, 1}
	}
	for x, y := p, q; ; x, y = y, x%y {
		if y == 0 {
			p, q = p/x, q/x
			break
		}
	}
	if r.fits(p, q) {
		return multiplier{p, q}
	}
	// Convergents p1/q1 of the continued fraction of p/q, the last one shortened to fit.
	p0, q0, p1, q1 := int64(0), int64(1), int64(1), int64(0)
	for q != 0 {
		whole := p / q
		k := int64(sort.Search(int(whole), func(k int) bool { return !r.fitsStep(int64(k)+1, p1, p0, q1, q0) }))
		if k == 0 && whole > 0 && q1 > 0 {
			break
		}
		p0, q0, p1, q1 = p1, q1, k*p1+p0, k*q1+q0
		if k < whole {
			break
		}
		p, q = q, p%q
	}
	return multiplier{p1, q1}
}

// ranges holds the largest latency and magnitude of importance that a
// configuration, or any part of one, can reach.
type ranges struct{ latency, importance int64 }

func (r ranges) fits(p, q int64) bool {
	hi1, lo1 := bits.Mul64(uint64(p), uint64(r.latency))
	hi2, lo2 := bits.Mul64(uint64(q), uint64(r.importance))
	return hi1 == 0 && hi2 == 0 && lo1 <= maxScore && lo2 <= maxScore && lo1+lo2 <= maxScore
}

func (r ranges) fitsStep(k, p1, p0, q1, q0 int64) bool {
	hiP, loP := bits.Mul64(uint64(k), uint64(p1))
	hiQ, loQ := bits.Mul64(uint64(k), uint64(q1))
	const limit = 1 << 61
	return hiP == 0 && hiQ == 0 && loP < limit && loQ < limit && r.fits(int64(loP)+p0, int64(loQ)+q0)
}

// none is a score no entry has.
const none = -1 << 62

// up computes the best score of every entry, children first, and returns the
// best score of all.
func (t *tree) up(m multiplier) int64 {
	for i := range t.nodes {
		if n := &t.nodes[i]; n.a < 0 {
			for e := range n.val {
				n.val[e] = m.q*n.imp[e] - m.p*n.lat[e]
			}
		}
	}
	return t.combine()
}

// combine is up, once the leaves have their scores. An entry where a block may
// be off scores at least 0.
func (t *tree) combine() int64 {
	for i := range t.nodes {
		n := &t.nodes[i]
		switch {
		case n.a < 0:
		case n.b < 0:
			a := t.nodes[n.a].val
			for e, o := range n.offA {
				n.val[e] = slices.Max(a[o : int(o)+n.span])
			}
		case n.span == 1:
			a, b := t.nodes[n.a].val, t.nodes[n.b].val
			for e, o := range n.offA {
				n.val[e] = a[o] + b[n.offB[e]]
			}
		default:
			a, b := t.nodes[n.a].val, t.nodes[n.b].val
			for e, o := range n.offA {
				n.val[e] = maxSum(a[o:int(o)+n.span], b[n.offB[e]:])
			}
		}
		if n.off >= 0 {
			for e, v := range n.val {
				n.val[e] = max(v, 0)
			}
		}
	}
	return t.root().val[0]
}

// maxSum returns max over i of a[i] + b[i].
func maxSum(a, b []int64) int64 {
	b = b[:len(a)]
	m0, m1, m2, m3 := int64(none), int64(none), int64(none), int64(none)
	for len(a) >= 4 && len(b) >= 4 { // four chains, so that adds overlap
		m0 = max(m0, a[0]+b[0])
		m1 = max(m1, a[1]+b[1])
		m2 = max(m2, a[2]+b[2])
		m3 = max(m3, a[3]+b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		m0 = max(m0, v+b[i])
	}
	return max(m0, m1, m2, m3)
}

// down computes, after up, the best score of everything outside each entry,
// given that entry: val + comp bounds every configuration that goes through it.
// It does not look beyond an entry whose bound is less than atLeast; entries
// reached through such entries only are left at none.
func (t *tree) down(atLeast int64) {
	for i := range t.nodes {
		for e := range t.nodes[i].comp {
			t.nodes[i].comp[e] = none
		}
	}
	t.root().comp[0] = 0
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		switch {
		case n.a < 0:
		case n.b < 0:
			ca := t.nodes[n.a].comp
			for e, o := range n.offA {
				for k := range ca[o : int(o)+n.span] {
					ca[int(o)+k] = max(ca[int(o)+k], n.comp[e])
				}
			}
		default:
			na, nb := &t.nodes[n.a], &t.nodes[n.b]
			for e, o := range n.offA {
				if n.val[e]+n.comp[e] >= atLeast {
					oa, ob := int(o), int(n.offB[e])
					complete(n.comp[e], na.val[oa:oa+n.span], nb.val[ob:], na.comp[oa:], nb.comp[ob:])
				}
			}
		}
	}
}

// complete does ca[i] = max(ca[i], outside + b[i]) and cb[i] = max(cb[i], outside + a[i]).
func complete(outside int64, a, b, ca, cb []int64) {
	b, ca, cb = b[:len(a)], ca[:len(a)], cb[:len(a)]
	for i, v := range a {
		ca[i] = max(ca[i], outside+b[i])
		cb[i] = max(cb[i], outside+v)
	}
}

// leastRest fills in the least latency that everything outside each entry has.
func (t *tree) leastRest() {
	t.up(multiplier{1, 0})
	t.down(none)
	for i := range t.nodes {
		n := &t.nodes[i]
		for e, v := range n.comp {
			n.rest[e] = -v
		}
	}
}

// filter returns, after up, the tree without the options that no
// configuration of at least the given score uses; t itself if all stay.
func (t *tree) filter(atLeast int64) *tree {
	t.down(atLeast)
	return t.narrowed(t.inPlay(atLeast))
}

// narrowed returns the tree of the given options; t itself if that are all it has.
func (t *tree) narrowed(keep [][]int32) *tree {
	for g := range keep {
		if len(keep[g]) < len(t.keep[g]) {
			return newTree(t.plan, keep)
		}
	}
	return t
}

// inPlay returns, after a down that looked as far, the options that some
// configuration of at least the given score uses. A group inside a block that
// cannot stay on keeps its first option.
func (t *tree) inPlay(atLeast int64) [][]int32 {
	keep := slices.Clone(t.keep)
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.elim < 0 || n.span == 1 {
			continue
		}
		child := &t.nodes[n.a]
		if n.b >= 0 && t.nodes[n.b].size < child.size {
			child = &t.nodes[n.b]
		}
		stays := make([]bool, n.span)
		for e, v := range child.val {
			if v+child.comp[e] >= atLeast {
				stays[e%n.span] = true
			}
		}
		var kept []int32
		for o, ok := range stays {
			if ok {
				kept = append(kept, t.keep[n.elim][o])
			}
		}
		if len(kept) == 0 {
			kept = t.keep[n.elim][:1]
		}
		keep[n.elim] = kept
	}
	return keep
}

// Point is one step of the trade-off between latency and importance.
type Point struct {
	Latency    int64 `json:"latency"`
	Importance int64 `json:"importance"`
}

// choice is a configuration: the option of every group and the state of every block.
type choice struct {
	options []int
	blocks  []bool
}

func (t *tree) newChoice() choice {
	p := t.plan.problem
	c := choice{make([]int, len(p.Groups)), make([]bool, len(p.Blocks))}
	for g := range p.Groups {
		c.options[g] = p.Groups[g].MinOption
	}
	for b := range p.Blocks {
		c.blocks[b] = !p.Blocks[b].Prunable
	}
	return c
}

// best returns, after up, a configuration of the best score and where it lies.
func (t *tree) best() (Point, choice) {
	var at Point
	c := t.newChoice()
	var trace func(i, e int)
	trace = func(i, e int) {
		n := &t.nodes[i]
		if n.a < 0 {
			at.Latency += n.lat[e]
			at.Importance += n.imp[e]
		} else {
			a, b := t.nodes[n.a].val[n.offA[e]:], []int64(nil)
			if n.b >= 0 {
				b = t.nodes[n.b].val[n.offB[e]:]
			}
			arg, most := 0, int64(none)
			for k := range n.span {
				v := a[k]
				if b != nil {
					v += b[k]
				}
				if v > most {
					arg, most = k, v
				}
			}
			if n.off >= 0 && most < 0 {
				return
			}
			if n.elim >= 0 {
				c.options[n.elim] = int(t.keep[n.elim][arg])
			}
			trace(n.a, int(n.offA[e])+arg)
			if n.b >= 0 {
				trace(n.b, int(n.offB[e])+arg)
			}
		}
		if n.off >= 0 {
			c.blocks[n.off] = true
		}
	}
	trace(len(t.nodes)-1, 0)
	return at, c
}
