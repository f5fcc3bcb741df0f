package prune

import (
	"context"
	"fmt"

	"mdp/bench"
	"mdp/engine"
)

// denseLatency is what the latency table is tied to reality with: dense.json.
type denseLatency struct {
	bench.Observed
	SumNS int64 `json:"sum_ns"` // of the table's rows, tied to CallsNS
}

// dense reads dense.json.
func (p *Pipeline) dense() (d denseLatency, err error) {
	err = p.ReadJSON("dense.json", &d)
	if err == nil && (d.LatencyNS <= 0 || d.SumNS <= 0) {
		err = fmt.Errorf("%s: latencies of %d and %d ns, which must be above 0: run mdp bench again", p.Path("dense.json"), d.LatencyNS, d.SumNS)
	}
	return d, err
}

// latency is what a configuration adds to a network's latency: its tied row, times
// the one factor that makes the dense network's rows its latency.
func (d denseLatency) latency(tied map[string]int64) func(engine.Call) (int64, bool) {
	return func(c engine.Call) (int64, bool) {
		ns, ok := tied[c.String()]
		return int64(float64(ns) * float64(d.LatencyNS) / float64(d.SumNS)), ok
	}
}

// denseSamples is how often the dense network is timed at least.
const denseSamples = 50

// calibrate sums up what the dense network took while the table was measured.
func (p *Pipeline) calibrate(ctx context.Context, space *Space, dense *bench.InNetwork, rows []bench.Row) (d denseLatency, err error) {
	if d.Observed, err = dense.Observe(ctx, denseSamples); err != nil {
		return d, err
	}
	tied, _, err := p.tie(space, rows, d.CallsNS)
	if err != nil {
		return d, err
	}
	var missing []string
	if d.SumNS, missing = bench.Predict(space.Program, tied); len(missing) > 0 {
		return d, fmt.Errorf("the latency table lacks %v: run mdp bench again", missing)
	}
	return d, nil
}
