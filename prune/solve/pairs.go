package solve

import (
	"cmp"
	"math/bits"
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

	keys   []uint64 // scratch of sort
	sorted []label
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
	ps.sort(func(l label) int64 { return l.latency })
	n, most := 0, int64(2*none)
	for _, l := range ps.all {
		if v := l.score + p*l.latency; v > most {
			if n > 0 && ps.all[n-1].latency == l.latency {
				n--
			}
			most = v
			ps.all[n] = l
			n++
		}
	}
	ps.all = ps.all[:n]
	ps.sort(func(l label) int64 { return -l.score })
	return ps.all
}

// sort sorts the candidates by a key, equal ones as they stand. To sort
// integers, key above and place below, takes half the time of sorting labels.
func (ps *pairs) sort(key func(label) int64) {
	if len(ps.all) < 2 {
		return
	}
	lo := key(ps.all[0])
	hi := lo
	for _, l := range ps.all[1:] {
		k := key(l)
		lo, hi = min(lo, k), max(hi, k)
	}
	places := bits.Len(uint(len(ps.all)))
	if bits.Len64(uint64(hi-lo))+places > 64 {
		slices.SortStableFunc(ps.all, func(a, b label) int { return cmp.Compare(key(a), key(b)) })
		return
	}
	ps.keys = ps.keys[:0]
	for i, l := range ps.all {
		ps.keys = append(ps.keys, uint64(key(l)-lo)<<places|uint64(i))
	}
	slices.Sort(ps.keys)
	ps.sorted = ps.sorted[:0]
	for _, k := range ps.keys {
		ps.sorted = append(ps.sorted, ps.all[k&(1<<places-1)])
	}
	ps.all, ps.sorted = ps.sorted, ps.all
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
