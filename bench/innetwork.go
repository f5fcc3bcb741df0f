package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mdp/engine"
)

// Undisturbed is how much longer than the fastest a sample of a network may take to
// be one of the network alone. Other programs take a core for milliseconds at a
// time, which lasts longer than most networks do: it strikes some samples, and
// leaves the others as they are on an idle machine.
const Undisturbed = 1.1

// undisturbed summarises the samples that nothing else took part in.
func undisturbed(r Result) Result {
	most := int64(Undisturbed * float64(slices.Min(r.SamplesNS)))
	alone := Summarise(slices.DeleteFunc(slices.Clone(r.SamplesNS), func(ns int64) bool { return ns > most }))
	alone.Stop = r.Stop
	return alone
}

// InNetwork is a network that is timed between the rows of a table: what its own
// calls take where they run, all the while that the table took.
type InNetwork struct {
	program *engine.Program
	samples []networkSample
	took    time.Duration // all of them
}

// networkSample is a network's latency end to end, and that of each call in another run.
type networkSample struct {
	latencyNS, sumNS int64
	callsNS          []int64
}

// Observed is a network where it really runs: medians of undisturbed samples.
type Observed struct {
	LatencyNS int64            `json:"measured_ns"` // end to end
	CallsNS   map[string]int64 `json:"calls_ns"`    // each call between those before and after it, by key
	Samples   int              `json:"samples"`     // end to end
	Disturbed int              `json:"disturbed"`   // so many of them
}

// NewInNetwork needs a program with weights and an image on the device: zeros can be fast.
func NewInNetwork(p *engine.Program) *InNetwork { return &InNetwork{program: p} }

// networkShare is how much of a table's time the network may have: where rows take
// less than it does, not every one has a sample behind it.
const networkShare = 0.2

// due says that so long after the table was begun there is time for a sample.
func (n *InNetwork) due(elapsed time.Duration) bool {
	return float64(n.took) <= networkShare*float64(elapsed)
}

// sample times the network, as Networks does, and then its calls.
func (n *InNetwork) sample() error {
	defer func(begun time.Time) { n.took += time.Since(begun) }(time.Now())
	latencyNS, err := twice(n.program, time.Now)
	if err != nil {
		return err
	}
	s := networkSample{latencyNS: latencyNS, callsNS: make([]int64, len(n.program.Plan().Calls))}
	if err := n.program.Time(s.callsNS); err != nil {
		return fmt.Errorf("time %s: %w", n.program.Graph().Name(), err)
	}
	for _, ns := range s.callsNS {
		s.sumNS += ns
	}
	n.samples = append(n.samples, s)
	return nil
}

// Observe sums up the samples, and takes more where they are fewer than asked for.
func (n *InNetwork) Observe(ctx context.Context, atLeast int) (o Observed, err error) {
	for len(n.samples) < atLeast {
		if err := ctx.Err(); err != nil {
			return o, err
		}
		if err := n.sample(); err != nil {
			return o, err
		}
	}
	var latencyNS []int64
	fastest := n.samples[0].sumNS
	for _, s := range n.samples {
		latencyNS = append(latencyNS, s.latencyNS)
		fastest = min(fastest, s.sumNS)
	}
	callsNS := map[string][]int64{}
	for _, s := range n.samples {
		if float64(s.sumNS) > Undisturbed*float64(fastest) {
			continue
		}
		for i, c := range n.program.Plan().Calls {
			callsNS[c.String()] = append(callsNS[c.String()], s.callsNS[i])
		}
	}
	alone := undisturbed(Summarise(latencyNS))
	o = Observed{alone.MedianNS, map[string]int64{}, len(latencyNS), len(latencyNS) - len(alone.SamplesNS)}
	for key, ns := range callsNS {
		o.CallsNS[key] = Summarise(ns).MedianNS
	}
	return o, nil
}
