package bench

import (
	"context"
	"math"
	"time"

	"mdp/engine"
)

// Estimate is about how long Measure will take for the rows that the table lacks:
// what those it has took on average, or, of an empty one, what the two largest calls
// and the smallest tell of the device's speed and of how long it takes to ready one.
func (t *Table) Estimate(ctx context.Context, b engine.Backend, calls []engine.Call) (time.Duration, error) {
	missing := t.missing(calls)
	if len(missing) == 0 {
		return 0, nil
	}
	between := 0.0 // the rows, by the network
	if t.InNetwork != nil {
		begun := time.Now()
		if err := t.InNetwork.sample(); err != nil {
			return 0, err
		}
		between = float64(time.Since(begun)) * float64(len(missing))
	}
	with := func(rowsNS float64) time.Duration {
		return time.Duration(rowsNS + min(between, rowsNS*networkShare/(1-networkShare)))
	}
	if len(t.rows) > 0 {
		var sumNS int64
		for _, r := range t.rows {
			sumNS += r.CostNS
		}
		return with(float64(sumNS / int64(len(t.rows)) * int64(len(missing)))), nil
	}
	rule := t.header.Rule
	rule.MinSamples, rule.MaxSamples, rule.MinTotalNS, rule.WarmUpNS, rule.MinClock, rule.Together = copies, copies, 0, 0, 0, 0
	var s speed
	for _, most := range []func(engine.Call) int{size, macs, func(c engine.Call) int { return -size(c) }} {
		c := missing[0]
		for _, d := range missing {
			if most(d) > most(c) {
				c = d
			}
		}
		begun := time.Now()
		r, err := Call(ctx, b, rule, t.header.Batch, c)
		if err != nil {
			return 0, err
		}
		s.learn(c, r.MedianNS, time.Since(begun).Nanoseconds())
	}
	reference := largest(calls)
	var sumNS float64
	for _, c := range missing {
		sumNS += s.costNS(t.header.Rule, c, reference[layer(c)])
	}
	return with(sumNS), nil
}

// speed is a roofline, the higher of what moving and what multiplying takes, and
// what it takes to ready a call: so much for its size, and the least for any.
type speed struct {
	nsPerElement, nsPerMAC, readyNSPerElement, readyNS float64
	taught                                             bool // by one call
}

// learn from a call of which a round was run three times.
func (s *speed) learn(c engine.Call, latencyNS, wallNS int64) {
	latency := float64(latencyNS)
	if n := macs(c); n > 0 && (s.nsPerMAC == 0 || latency/float64(n) < s.nsPerMAC) {
		s.nsPerMAC = latency / float64(n)
	}
	if perElement := latency / float64(size(c)); !s.taught || perElement < s.nsPerElement {
		s.nsPerElement = perElement
	}
	ready := max(0, float64(wallNS)-3*s.roundNS(c, c, 1))
	if perElement := ready / float64(size(c)); !s.taught || perElement < s.readyNSPerElement {
		s.readyNSPerElement = perElement
	}
	if s.readyNS == 0 || ready < s.readyNS {
		s.readyNS = ready
	}
	s.taught = true
}

func (s speed) latencyNS(c engine.Call) float64 {
	return max(s.nsPerElement*float64(size(c)), s.nsPerMAC*float64(macs(c)))
}

// roundNS is all copies and a share of the reference, and writing what they read.
func (s speed) roundNS(c, reference engine.Call, together float64) float64 {
	return copies*(s.latencyNS(c)+s.nsPerElement*float64(size(c))) + (s.latencyNS(reference)+s.nsPerElement*float64(size(reference)))/together
}

// costNS is how long the row of c takes. Where the clock is watched, the warm-up is
// of the laps that show it to be steady.
func (s speed) costNS(rule Rule, c, reference engine.Call) float64 {
	samples := max(float64(rule.MinSamples), float64(rule.MinTotalNS)/max(1, s.latencyNS(c)))
	if rule.MaxHalf > 0 {
		samples *= 2 // about what it takes on a quiet GPU
	}
	rounds, warmUp := 2+math.Ceil(samples/copies), float64(rule.WarmUpNS)
	if rule.MinClock > 0 {
		rounds, warmUp = max(rounds, 1+steadyLaps), 0
	}
	together := float64(max(1, rule.Together))
	return max(s.readyNS, s.readyNSPerElement*float64(size(c)))/together + warmUp + rounds*s.roundNS(c, reference, together)
}

func macs(c engine.Call) int {
	if conv, ok := c.(engine.ConvForward); ok {
		return int(conv.MACs())
	}
	return 0
}
