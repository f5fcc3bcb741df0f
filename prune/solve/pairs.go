package solve

import (
	"cmp"
	"slices"
)

// pairs collects the candidates for one list and drops those that another
// beats, being no slower and of no less importance. Most go early and cheaply:
// of millions of candidates only some thousands lie in memory together.
type pairs struct {
	all  []label
	full int     // length at which to shrink
	peak []int64 // bucket → most q·importance in the lower buckets; one more bucket for all higher latencies
	lo   int64   // where the first bucket begins
	wide int     // a bucket spans 1<<wide units of latency
}

const (
	chunk   = 1 << 12 // candidates that lie in near caches
	buckets = 1 << 12
)

func (ps *pairs) reset() {
	ps.all, ps.full, ps.peak = ps.all[:0], chunk, ps.peak[:0]
}

// front returns the candidates that no other beats, by falling score. With
// the multiplier's p a score turns into importance: q·importance = score + p·latency.
func (ps *pairs) front(p int64) []label {
	if len(ps.all) > 32 {
		ps.thin(p)
	}
	slices.SortFunc(ps.all, func(a, b label) int {
		if c := cmp.Compare(a.latency, b.latency); c != 0 {
			return c
		}
		return cmp.Compare(b.score, a.score)
	})
	n, most := 0, int64(2*none)
	for _, l := range ps.all {
		if v := l.score + p*l.latency; v > most {
			most = v
			ps.all[n] = l
			n++
		}
	}
	ps.all = ps.all[:n]
	slices.SortFunc(ps.all, func(a, b label) int { return cmp.Compare(b.score, a.score) })
	return ps.all
}

// shrink makes room for more candidates.
func (ps *pairs) shrink(p int64) {
	if len(ps.peak) > 0 {
		ps.skim(p)
	}
	if len(ps.all) > ps.full/2 {
		ps.thin(p)
	}
	ps.full = max(chunk, 2*len(ps.all))
}

// thin throws the candidates into buckets by latency and keeps those that
// beat every lower bucket, in time linear in their number.
func (ps *pairs) thin(p int64) {
	hi := ps.all[0].latency
	ps.lo = hi
	for _, l := range ps.all {
		ps.lo, hi = min(ps.lo, l.latency), max(hi, l.latency)
	}
	ps.wide = 0
	for (hi-ps.lo)>>ps.wide >= int64(min(4*len(ps.all), buckets)) {
		ps.wide++
	}
	n := int((hi-ps.lo)>>ps.wide) + 2
	ps.peak = slices.Grow(ps.peak[:0], n)[:n]
	for k := range ps.peak {
		ps.peak[k] = 2 * none
	}
	for _, l := range ps.all {
		k := (l.latency - ps.lo) >> ps.wide
		ps.peak[k] = max(ps.peak[k], l.score+p*l.latency)
	}
	most := int64(2 * none)
	for k, v := range ps.peak {
		ps.peak[k] = most
		most = max(most, v)
	}
	ps.skim(p)
}

// skim drops the candidates that a lower bucket beats.
func (ps *pairs) skim(p int64) {
	n, last := 0, int64(len(ps.peak)-1)
	for _, l := range ps.all {
		k := min((l.latency-ps.lo)>>ps.wide, last)
		if k < 0 || l.score+p*l.latency > ps.peak[k] {
			ps.all[n] = l
			n++
		}
	}
	ps.all = ps.all[:n]
}
