package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/graph"
	"mdp/prune/report"
	"mdp/prune/solve"
)

// StageVerify is no step of the flow: nothing depends on it.
const StageVerify Stage = "verify"

// Verify times n random sub-networks end to end, and the run's solutions if it
// has any, each extracted and in turn with the dense network, and compares them
// with what the run's table predicts:
//
//	tied      what the solver adds up: rows at the pace of the dense network's calls, and a factor
//	additive  the rows as they were measured, alone
//	linear    the tied ones by each layer's output channels, its input whole
//
// All are at the pace of the dense network in the same rounds. Leaves verify.jsonl,
// raw and resumed, verify.json and verify.svg.
func (p *Pipeline) Verify(ctx context.Context, n int, ruleOf func(engine.Info) bench.Rule) (v report.Verification, err error) {
	if err := errors.Join(p.openDevice(), p.Lock()); err != nil {
		return v, err
	}
	rule := ruleOf(p.Backend.Info())
	release, err := bench.Exclude(p.device.Place)
	if err != nil {
		return v, err
	}
	defer release()
	table, err := p.verifyTable(rule)
	if err != nil {
		return v, err
	}
	defer table.Close()
	dense, err := p.dense()
	if err != nil {
		return v, err
	}
	err = p.withSpace(func(space *Space) error {
		models, err := p.models(space, dense)
		if err != nil {
			return err
		}
		subnets, err := p.subnets(space, models, n)
		if err != nil {
			return err
		}
		if err := p.timeSubnets(ctx, table, space, subnets); err != nil {
			return err
		}
		for _, s := range subnets {
			row, _ := table.Find(space.key(s))
			net := report.Subnet{Name: s.Name, Keeps: row.Key, DenseMS: ms(row.ReferenceNS), MeasuredMS: ms(row.MedianNS), SpreadPct: spreadPct(row.SamplesNS)}
			for _, m := range models {
				_, ns, err := m.problem.Evaluate(s.Options, s.BlocksOn)
				if err != nil {
					return err
				}
				net.PredictedMS = append(net.PredictedMS, ms(ns)*float64(row.ReferenceNS)/float64(dense.LatencyNS))
			}
			v.Networks = append(v.Networks, net)
		}
		var names []string
		for _, m := range models {
			names = append(names, m.name)
		}
		v.SumUp(names)
		return nil
	})
	if err != nil {
		return v, err
	}
	return v, errors.Join(p.WriteJSON("verify.json", v), p.Write("verify.svg", v.WriteSVG))
}

// spreadPct is the interquartile range of samples, of their median.
func spreadPct(samplesNS []int64) float64 {
	x := slices.Sorted(slices.Values(samplesNS))
	n := len(x)
	return 100 * float64(x[3*n/4]-x[n/4]) / float64(max(1, x[n/2]))
}

// VerifyRule suits pairs of whole programs: a second or two for each on a processor,
// and a tenth of that on a GPU, which nothing else runs on.
func VerifyRule(device engine.Info) bench.Rule {
	r := bench.NetworkRule()
	r.WarmUpNS, r.MinTotalNS, r.MaxRSD = 20e6, 600e6, 0.02
	if device.Device != "cpu" {
		r.MinTotalNS = 60e6
	}
	return r
}

// verifyTable opens the rows of networks. They are compared with latency.jsonl,
// which must be of this machine and build.
func (p *Pipeline) verifyTable(rule bench.Rule) (*bench.Table, error) {
	sensor := p.device.Sensor()
	defer sensor.Close()
	h, err := p.header(rule, sensor)
	if err != nil {
		return nil, err
	}
	calls, _, err := bench.ReadTable(p.Path("latency.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: run mdp bench first", err)
	}
	if err != nil {
		return nil, err
	}
	calls.Rule = rule
	if err := calls.Check(h); err != nil {
		return nil, fmt.Errorf("%s: %w", p.Path("latency.jsonl"), err)
	}
	return bench.OpenTable(p.Path("verify.jsonl"), h)
}

// model is one way to add up a network's latency.
type model struct {
	name    string
	problem *solve.Problem
}

// models are those that Verify compares. What importance their problems have
// does not matter.
func (p *Pipeline) models(space *Space, dense denseLatency) ([]model, error) {
	rows, err := p.rows()
	if err != nil {
		return nil, err
	}
	tied, _, err := p.tie(space, rows, dense.CallsNS)
	if err != nil {
		return nil, err
	}
	alone, _, err := p.tie(space, rows, nil)
	if err != nil {
		return nil, err
	}
	var all []model
	for _, m := range []struct {
		name      string
		latencyNS func(engine.Call) (int64, bool)
	}{{"tied", dense.latency(tied)}, {"additive", lookup(alone)}} {
		problem, err := space.unscored(m.latencyNS)
		if err != nil {
			return nil, err
		}
		all = append(all, model{m.name, problem})
	}
	return append(all, model{"linear", solve.OutputOnly(all[0].problem)}), nil
}

// subnets are n random ones, drawn by the additive model so that they stay the
// same whatever rows are tied to, and the run's solutions.
func (p *Pipeline) subnets(space *Space, models []model, n int) (all []subnet, err error) {
	for i := range n {
		s, err := draw(models[1].problem, i)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	var answers []Answer
	err = p.ReadJSON("solution.json", &answers)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = p.posedIn(space.Steps)
	}
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		if len(a.Options) != len(space.Step) || len(a.BlocksOn) != len(space.Coupling.Blocks)+1 {
			return nil, fmt.Errorf("%s is of another network: run mdp solve again", p.Path("solution.json"))
		}
		all = append(all, subnet{"solution " + a.Asked, a.Options, a.BlocksOn})
	}
	return all, nil
}

// timeSubnets adds the rows that the table lacks.
func (p *Pipeline) timeSubnets(ctx context.Context, table *bench.Table, space *Space, subnets []subnet) error {
	w, err := p.readWeights("weights.safetensors", space.Graph)
	if err != nil {
		return err
	}
	if err := ready(space.Program, w); err != nil {
		return err
	}
	p.Notify(Event{Stage: StageVerify, Kind: Begin})
	tell := p.progress(StageVerify, "networks")
	for i, s := range subnets {
		tell(i, len(subnets), s.Name)
		if _, ok := table.Find(space.key(s)); ok {
			continue
		}
		if err := p.timeSubnet(ctx, table, space, w, s); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	tell(len(subnets), len(subnets), "")
	p.Notify(Event{Stage: StageVerify, Kind: End})
	return nil
}

// timeSubnet runs a sub-network as it would be exported.
func (p *Pipeline) timeSubnet(ctx context.Context, table *bench.Table, space *Space, w graph.Weights, s subnet) (err error) {
	program, err := p.extracted(space, w, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	return table.Network(ctx, space.key(s), program, space.Graph.Name(), space.Program)
}

// extracted is a sub-network's program, ready to be timed. Which channels stay
// makes no difference to that.
func (p *Pipeline) extracted(space *Space, w graph.Weights, s subnet) (*engine.Program, error) {
	choice, err := space.Choice(RandomScores(space.Graph, space.Coupling, 1), solve.Solution{Options: s.Options, BlocksOn: s.BlocksOn})
	if err != nil {
		return nil, err
	}
	g, weights, err := Extract(space.Graph, w, space.Coupling, choice)
	if err != nil {
		return nil, err
	}
	program, err := engine.Compile(g, p.Backend, space.Program.Options())
	if err != nil {
		return nil, err
	}
	if err := ready(program, weights); err != nil {
		return nil, errors.Join(err, program.Close())
	}
	return program, nil
}

// ready gives a program weights and images of noise: zeros can be fast.
func ready(program *engine.Program, w graph.Weights) error {
	if err := program.SetWeights(w); err != nil {
		return err
	}
	g, batch := program.Graph(), program.Options().Batch
	return program.Infer(make([]float32, batch*g.Shape(g.Len()-1).C), noise(batch*g.Shape(0).Size()))
}

// noise is n numbers of the normal distribution, always the same.
func noise(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	images := make([]float32, n)
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	return images
}

// lookup finds calls by their key.
func lookup(latencyNS map[string]int64) func(engine.Call) (int64, bool) {
	return func(c engine.Call) (int64, bool) { ns, ok := latencyNS[c.String()]; return ns, ok }
}

// unscored is a problem whose importances do not matter.
func (s *Space) unscored(latencyNS func(engine.Call) (int64, bool)) (*solve.Problem, error) {
	return s.Problem(RandomScores(s.Graph, s.Coupling, 1), latencyNS)
}
