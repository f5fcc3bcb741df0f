package prune

import (
	"context"
	"errors"
	"fmt"
	"math"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/graph"
	"mdp/prune/solve"
)

// denseLatency is what the latency table is tied to reality with: dense.json.
type denseLatency struct {
	MeasuredNS int64            `json:"measured_ns"` // end to end
	SumNS      int64            `json:"sum_ns"`      // of the table's rows, tied to CallsNS
	CallsNS    map[string]int64 `json:"calls_ns"`    // each call where it runs, by key
	Predictor  bench.Predictor  `json:"predictor"`
	Observed   []calibrated     `json:"observed"`
}

// calibrated is a sub-network beside the dense one, raw.
type calibrated struct {
	Keeps string         `json:"keeps"`
	Dense bench.Observed `json:"dense"`
	Small bench.Observed `json:"small"`
}

// latency is what a configuration adds to a network's latency, from tied rows.
func (d denseLatency) latency(tied map[string]int64) func(engine.Call) (int64, bool) {
	return func(c engine.Call) (int64, bool) {
		ns, ok := tied[c.String()]
		return d.Predictor.LatencyNS(c, ns), ok
	}
}

// tiedLatency is the same uncorrected, but for the one factor that makes the dense
// network's rows its latency.
func (d denseLatency) tiedLatency(tied map[string]int64) func(engine.Call) (int64, bool) {
	return func(c engine.Call) (int64, bool) {
		ns, ok := tied[c.String()]
		return int64(float64(ns) * float64(d.MeasuredNS) / float64(d.SumNS)), ok
	}
}

// calibration is how many sub-networks a table is calibrated with.
const calibration = 8

// Seeds of the sub-networks that predictions are fitted to, and of others that
// they are tried on.
const calibrationSeed, verificationSeed = 1, 2

// calibrate observes sub-networks in turn with the dense one, and fits the
// predictor to them. The pace of a machine that does other work changes; one that
// was observed while it was slower is observed again, twice at most, and what
// remains is scaled by the dense network beside it.
func (p *Pipeline) calibrate(ctx context.Context, space *Space, rows []bench.Row) (d denseLatency, err error) {
	w, err := p.readWeights("weights.safetensors", space.Graph)
	if err != nil {
		return d, err
	}
	if err := ready(space.Program, w); err != nil {
		return d, err
	}
	alone, _, err := p.tie(space, rows, nil)
	if err != nil {
		return d, err
	}
	additive, err := space.unscored(lookup(alone))
	if err != nil {
		return d, err
	}
	tell := p.progress(StageBench, "networks")
	d.Observed = make([]calibrated, calibration)
	leastNS := int64(math.MaxInt64)
	for range 3 {
		for i := range d.Observed {
			tell(i, calibration, "")
			before := d.Observed[i].Dense.LatencyNS
			if before > 0 && float64(before) <= bench.Steady*float64(leastNS) {
				continue
			}
			s, err := draw(additive, calibrationSeed, i)
			if err != nil {
				return d, err
			}
			o, err := p.observe(ctx, space, w, s)
			if err != nil {
				return d, fmt.Errorf("%s: %w", s.Name, err)
			}
			if now := o.Dense.LatencyNS; before == 0 || now < before {
				d.Observed[i] = o
				leastNS = min(leastNS, now)
			}
		}
	}
	return d, p.fitPredictor(&d, space, rows)
}

// observe times a sub-network where it runs, and the dense network beside it.
func (p *Pipeline) observe(ctx context.Context, space *Space, w graph.Weights, s subnet) (c calibrated, err error) {
	program, err := p.extracted(space, w, s)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	o, err := bench.Observe(ctx, []*engine.Program{space.Program, program}, VerifyRule())
	if err != nil {
		return c, err
	}
	return calibrated{space.key(s), o[0], o[1]}, nil
}

// fitPredictor computes everything but Observed from it.
func (p *Pipeline) fitPredictor(d *denseLatency, space *Space, rows []bench.Row) error {
	leastNS := int64(math.MaxInt64)
	for _, o := range d.Observed {
		leastNS = min(leastNS, o.Dense.LatencyNS)
	}
	var usual []int64
	for _, o := range d.Observed {
		if float64(o.Dense.LatencyNS) <= bench.Steady*float64(leastNS) {
			usual = append(usual, o.Dense.LatencyNS)
		}
	}
	d.MeasuredNS = bench.Summarise(usual).MedianNS

	var networks []bench.Observed
	calls := map[string][]int64{}
	for _, o := range d.Observed {
		pace := float64(d.MeasuredNS) / float64(o.Dense.LatencyNS)
		networks = append(networks, o.Small.Scaled(pace))
		for _, c := range o.Dense.Scaled(pace).Calls {
			calls[c.Key] = append(calls[c.Key], c.NS)
		}
	}
	d.CallsNS = map[string]int64{}
	for key, ns := range calls {
		d.CallsNS[key] = bench.Summarise(ns).MedianNS
	}
	tied, _, err := p.tie(space, rows, d.CallsNS)
	if err != nil {
		return err
	}
	sum, missing := bench.Predict(space.Program, tied)
	if len(missing) > 0 {
		return fmt.Errorf("the latency table lacks %v: run mdp bench again", missing)
	}
	d.SumNS = sum
	whole := bench.Observed{LatencyNS: d.MeasuredNS}
	for _, c := range space.Program.Plan().Calls {
		whole.Calls = append(whole.Calls, bench.ObservedCall{Key: c.String(), Kind: bench.Kind(c), NS: d.CallsNS[c.String()]})
	}
	d.Predictor, err = bench.Fit(whole, networks, tied)
	return err
}

// lookup finds calls by their key.
func lookup(latencyNS map[string]int64) func(engine.Call) (int64, bool) {
	return func(c engine.Call) (int64, bool) { ns, ok := latencyNS[c.String()]; return ns, ok }
}

// unscored is a problem whose importances do not matter.
func (s *Space) unscored(latencyNS func(engine.Call) (int64, bool)) (*solve.Problem, error) {
	return s.Problem(RandomScores(s.Graph, s.Coupling, 1), latencyNS)
}
