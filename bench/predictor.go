package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mdp/engine"
)

// Predictor corrects rows for what they miss of the network around them. A row's
// inputs come from a cache of its own and its neighbours are its copies; in the
// network small calls find less of what they need, and between calls there are
// gaps. So, for every kind of call,
//
//	latency(network) = Σ over its calls: fixed[kind] + scale[kind] · tied(row)
//
// with nothing negative, and the dense network exact. It is as additive as the rows are, for the solver.
type Predictor struct {
	Kinds     map[string]Correction `json:"kinds"`
	Validated Validated             `json:"validated"`
}

// Correction of one kind of call.
type Correction struct {
	FixedNS float64 `json:"fixed_ns"`
	Scale   float64 `json:"scale"`
	Calls   int     `json:"calls"` // it was fitted to
}

// Validated is how far off each of the observed networks was when the rest
// alone predicted it.
type Validated struct {
	Networks  int     `json:"networks"`
	MedianPct float64 `json:"median_pct"`
	WorstPct  float64 `json:"worst_pct"`
}

// Kind is what a Predictor tells apart: how a call goes about its memory.
func Kind(c engine.Call) string {
	d, ok := c.(engine.ConvForward)
	switch {
	case !ok:
		name, _, _ := strings.Cut(c.String(), "/")
		name, _, _ = strings.Cut(name, "+")
		return name
	case d.Groups > 1:
		return "conv in groups"
	case d.R == 1 && d.S == 1:
		return "conv 1x1"
	}
	return "conv"
}

// LatencyNS is what a call adds to a network's latency, given its tied row.
func (p Predictor) LatencyNS(c engine.Call, tiedNS int64) int64 {
	k, ok := p.Kinds[Kind(c)]
	if !ok { // no network had one: it is as it was measured
		return tiedNS
	}
	return int64(math.Round(k.FixedNS + k.Scale*float64(tiedNS)))
}

// Fit fits a predictor to networks that were observed, all at one pace, and
// validates it on each of them by the rest. tiedNS are the rows by key.
//
// The calls of a kind are fitted by least squares weighted with one over their
// tied latency, which keeps the sum of what was observed. Then a gap before every
// call is the median of those that would make each network as slow as it was, and a
// factor makes the dense network, of which budgets are shares, exact. A call that
// has no row, for only a removed block leaves it, counts as it was observed.
func Fit(dense Observed, networks []Observed, tiedNS map[string]int64) (Predictor, error) {
	if len(networks) == 0 || len(dense.Calls) == 0 {
		return Predictor{}, fmt.Errorf("no network was observed to fit predictions to")
	}
	p := fit(dense, networks, tiedNS)
	if len(networks) < 2 {
		return p, nil
	}
	var off []float64
	for i, n := range networks {
		rest := slices.Concat(networks[:i], networks[i+1:])
		off = append(off, 100*math.Abs(fit(dense, rest, tiedNS).sum(n, tiedNS)/float64(n.LatencyNS)-1))
	}
	p.Validated = Validated{Networks: len(off), MedianPct: median(off), WorstPct: slices.Max(off)}
	return p, nil
}

func fit(dense Observed, networks []Observed, tiedNS map[string]int64) Predictor {
	calls := map[string][]point{}
	for _, n := range append([]Observed{dense}, networks...) {
		for _, c := range n.Calls {
			if tied := tiedNS[c.Key]; tied > 0 {
				calls[c.Kind] = append(calls[c.Kind], point{1, float64(tied), float64(c.NS), 1 / float64(tied)})
			}
		}
	}
	p := Predictor{Kinds: map[string]Correction{}}
	for kind, of := range calls {
		fixed, scale := nonNegative(of)
		p.Kinds[kind] = Correction{FixedNS: fixed, Scale: scale, Calls: len(of)}
	}
	gap := p.gap(dense, networks, tiedNS)
	denseNS := float64(dense.LatencyNS)
	factor := denseNS / (p.sum(dense, tiedNS) + gap*float64(len(dense.Calls)))
	for kind, k := range p.Kinds {
		k.FixedNS, k.Scale = factor*(gap+k.FixedNS), factor*k.Scale
		p.Kinds[kind] = k
	}
	return p
}

// gap is before every call of p, not below zero. One network asks for the g with
//
//	(sum + g·calls) / (sum of dense + g·calls of dense) = latency / latency of dense
func (p Predictor) gap(dense Observed, networks []Observed, tiedNS map[string]int64) float64 {
	denseNS, denseSum, denseCalls := float64(dense.LatencyNS), p.sum(dense, tiedNS), float64(len(dense.Calls))
	var asked []float64
	for _, n := range networks {
		more := denseNS*float64(len(n.Calls)) - float64(n.LatencyNS)*denseCalls
		if math.Abs(more) > 0.02*denseNS*denseCalls { // else a gap does not tell it from the dense one
			asked = append(asked, (float64(n.LatencyNS)*denseSum-denseNS*p.sum(n, tiedNS))/more)
		}
	}
	if len(asked) == 0 {
		return 0
	}
	return max(0, median(asked))
}

// sum is the predicted latency of an observed network.
func (p Predictor) sum(n Observed, tiedNS map[string]int64) (ns float64) {
	for _, c := range n.Calls {
		tied, ok := tiedNS[c.Key]
		if !ok {
			ns += float64(c.NS)
			continue
		}
		k, ok := p.Kinds[c.Kind]
		if !ok {
			k.Scale = 1
		}
		ns += k.FixedNS + k.Scale*float64(tied)
	}
	return ns
}

// point asks for a·u + b·v ≈ y.
type point struct{ u, v, y, weight float64 }

// nonNegative is the a, b ≥ 0 of the least Σ weight · (a·u + b·v − y)².
func nonNegative(points []point) (a, b float64) {
	var uu, uv, vv, uy, vy float64
	for _, p := range points {
		uu += p.weight * p.u * p.u
		uv += p.weight * p.u * p.v
		vv += p.weight * p.v * p.v
		uy += p.weight * p.u * p.y
		vy += p.weight * p.v * p.y
	}
	if d := uu*vv - uv*uv; d > 1e-9*uu*vv {
		a, b = (vv*uy-uv*vy)/d, (uu*vy-uv*uy)/d
		if a >= 0 && b >= 0 {
			return a, b
		}
	}
	// The least is on an edge. Along that of b it is vy²/vv lower than at 0, along
	// that of a uy²/uu.
	a, b = max(0, uy/uu), max(0, vy/vv)
	if b*b*vv >= a*a*uu {
		return 0, b
	}
	return a, 0
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
