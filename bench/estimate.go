package bench

import (
	"context"
	"time"

	"mdp/engine"
)

// Estimate is about how long Measure will take for the rows that the table lacks:
// what those it has took on average, or, of an empty one, what the two largest calls
// tell of the device's speed and of how long it takes to ready one.
func (t *Table) Estimate(ctx context.Context, b engine.Backend, calls []engine.Call) (time.Duration, error) {
	missing := t.missing(calls)
	if len(missing) == 0 {
		return 0, nil
	}
	between := time.Duration(0) // the rows, by the network
	if t.InNetwork != nil {
		begun := time.Now()
		if err := t.InNetwork.sample(); err != nil {
			return 0, err
		}
		between = time.Since(begun) * time.Duration(len(missing))
	}
	if len(t.rows) > 0 {
		var sumNS int64
		for _, r := range t.rows {
			sumNS += r.CostNS
		}
		return between + time.Duration(sumNS/int64(len(t.rows))*int64(len(missing))), nil
	}
	rule := t.header.Rule
	rule.MinSamples, rule.MaxSamples, rule.MinTotalNS, rule.WarmUpNS, rule.MinClock = copies, copies, 0, 0, 0
	var s speed
	for _, largest := range []func(engine.Call) int{size, macs} {
		c := missing[0]
		for _, d := range missing {
			if largest(d) > largest(c) {
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
	return between + time.Duration(sumNS), nil
}

// speed is a roofline, the higher of what moving and what multiplying takes, and
// what it takes to ready a call.
type speed struct{ nsPerElement, nsPerMAC, readyNSPerElement float64 }

func (s *speed) learn(c engine.Call, latencyNS, wallNS int64) {
	latency := float64(latencyNS)
	if n := macs(c); n > 0 {
		s.nsPerMAC = latency / float64(n)
	}
	if perElement := latency / float64(size(c)); s.nsPerElement == 0 || perElement < s.nsPerElement {
		s.nsPerElement = perElement
	}
	s.readyNSPerElement = max(0, float64(wallNS)-2*(copies+1)*latency) / float64(size(c))
}

func (s speed) latencyNS(c engine.Call) float64 {
	return max(s.nsPerElement*float64(size(c)), s.nsPerMAC*float64(macs(c)))
}

// costNS is how long the row of c takes: rounds of all its copies and the reference.
func (s speed) costNS(rule Rule, c, reference engine.Call) float64 {
	latency := max(1, s.latencyNS(c))
	samples := max(float64(rule.MinSamples), float64(rule.MinTotalNS)/latency)
	round := copies*latency + s.latencyNS(reference)
	return s.readyNSPerElement*float64(size(c)) + float64(rule.WarmUpNS) + (1+samples/copies)*round
}

func macs(c engine.Call) int {
	if conv, ok := c.(engine.ConvForward); ok {
		return int(conv.MACs())
	}
	return 0
}
