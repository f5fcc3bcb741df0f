package prune

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/train"
	"mdp/prune/report"
)

// extract cuts the network for one budget out of the dense one.
func (p *Pipeline) extract(budget string) error {
	in := []string{"graph.json", "weights.safetensors", "scores.json", "problem.json", "solution.json"}
	out := []string{path.Join(budget, "choice.json"), path.Join(budget, "graph.json"), path.Join(budget, "pruned.safetensors")}
	key := map[string]any{"step": p.Config.Step, "batch": p.Config.LatencyBatch, "fix": p.Config.Fix}
	return p.stage(StageExtract, budget, key, in, out, func() error {
		g, w, coupling, err := p.network()
		if err != nil {
			return err
		}
		choice, err := p.choice(g, coupling, budget)
		if err != nil {
			return err
		}
		small, weights, err := Extract(g, w, coupling, choice)
		if err != nil {
			return err
		}
		if err := p.WriteJSON(out[0], choice); err != nil {
			return err
		}
		if err := p.Write(out[1], small.Write); err != nil {
			return err
		}
		p.remark(StageExtract, "%s: %d parameters of %d, %.1f of %.1f MMAC", budget, small.ParamCount(), g.ParamCount(), float64(small.MACs())/1e6, float64(g.MACs())/1e6)
		return p.writeWeights(out[2], weights)
	})
}

// choice reads the solver's answer to a budget as channels.
func (p *Pipeline) choice(g *graph.Graph, c *Coupling, budget string) (Choice, error) {
	a, err := p.solution(budget)
	if err != nil {
		return Choice{}, err
	}
	scores, err := p.scores()
	if err != nil {
		return Choice{}, err
	}
	steps := NewSteps(g, c, p.Config.Step)
	choice, err := steps.Choice(scores, a.Solution)
	if err == nil {
		err = p.posedIn(steps)
	}
	if err != nil {
		return Choice{}, fmt.Errorf("%s: budget %s: %w", p.Path("solution.json"), budget, err)
	}
	return choice, nil
}

// posedIn refuses a solution whose options are other numbers of channels.
func (p *Pipeline) posedIn(s *Steps) error {
	problem, err := ReadProblem(p.Path("problem.json"))
	if err != nil {
		return err
	}
	for i, g := range problem.Groups {
		if i < len(s.Step) && g.ChannelsPerOption != s.Step[i] {
			return fmt.Errorf("its options are steps of %d channels, not of %d, of %v: run mdp solve again", g.ChannelsPerOption, s.Step[i], g.Layers)
		}
	}
	return nil
}

func (p *Pipeline) solution(budget string) (Answer, error) {
	var answers []Answer
	if err := p.ReadJSON("solution.json", &answers); err != nil {
		return Answer{}, err
	}
	for _, a := range answers {
		if a.Asked == budget {
			return a, nil
		}
	}
	return Answer{}, fmt.Errorf("%s has no answer to budget %s: run mdp solve again", p.Path("solution.json"), budget)
}

// fineTune trains the network of one budget again.
func (p *Pipeline) fineTune(ctx context.Context, budget string) error {
	if p.Config.NoTrain {
		return fmt.Errorf("%s: the run trains nothing: say --no-train=false and --data DIR to fine-tune", StageFineTune)
	}
	in := []string{path.Join(budget, "graph.json"), path.Join(budget, "pruned.safetensors")}
	out := []string{path.Join(budget, "finetuned.safetensors"), path.Join(budget, "finetune.json")}
	images, err := p.trainedOnAgain()
	if err != nil {
		return fmt.Errorf("%s: %w", path.Join(string(StageFineTune), budget), err)
	}
	key := map[string]any{"training": p.Config.fineTuning(), "data": images, "isa": p.Backend.Info().Arithmetic()}
	checkpoint, err := p.checkpoint(StageFineTune, budget, key, in)
	if err != nil {
		return err
	}
	return p.finish(p.stage(StageFineTune, budget, key, in, out, func() error {
		g, err := p.readGraph(in[0])
		if err != nil {
			return err
		}
		w, err := p.readWeights(in[1], g)
		if err != nil {
			return err
		}
		r, err := p.fit(ctx, StageFineTune, g, w, p.Config.fineTuning(), checkpoint)
		if err != nil {
			return err
		}
		if err := p.writeWeights(out[0], r.Weights); err != nil {
			return err
		}
		return p.WriteJSON(out[1], r.History)
	}), checkpoint)
}

// candidate is a network on its way to a row of the table.
type candidate struct {
	report.Network
	graph   *graph.Graph
	weights graph.Weights
}

// eval measures every network's accuracy, and the latency of all but the masked,
// in one run and in turn.
func (p *Pipeline) eval(ctx context.Context) error {
	err := p.open()
	normalised := ""
	if err == nil {
		normalised, err = p.inherit()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", StageEval, err)
	}
	in := []string{"graph.json", "weights.safetensors", "dense.json", "solution.json"}
	for _, b := range p.Config.Budgets {
		in = append(in, path.Join(b, "choice.json"), path.Join(b, "graph.json"), path.Join(b, "pruned.safetensors"))
		if !p.Config.NoTrain {
			in = append(in, path.Join(b, "finetuned.safetensors"))
		}
	}
	key := map[string]any{"budgets": p.Config.Budgets, "batch": p.Config.LatencyBatch, "data": p.images + normalised, "fix": p.Config.Fix, "backend": p.Backend.Name()}
	return p.stage(StageEval, "", key, in, []string{"eval.json"}, func() error {
		if err := p.measuredAs(); err != nil {
			return err
		}
		networks, err := p.candidates()
		if err != nil {
			return err
		}
		if err := p.readyFor(networks[0].graph); err != nil {
			return err
		}
		tell := p.progress(StageEval, "networks")
		for i := range networks {
			if p.test == nil {
				break
			}
			if err := p.accuracy(ctx, &networks[i]); err != nil {
				return err
			}
			tell(i+1, len(networks), networks[i].Budget)
		}
		if err := p.latencies(ctx, networks); err != nil {
			return err
		}
		rows := make([]report.Network, len(networks))
		for i, n := range networks {
			rows[i] = n.Network
		}
		if err := p.Log("eval", rows); err != nil {
			return err
		}
		return p.WriteJSON("eval.json", rows)
	})
}

// measuredAs refuses a table of other calls than those that are to be timed:
// predictions by it are no predictions of them.
func (p *Pipeline) measuredAs() error {
	h, _, err := bench.ReadTable(p.Path("latency.jsonl"))
	if err != nil {
		return err
	}
	if now := p.Backend.Name(); h.Batch != p.Config.LatencyBatch || h.Backend != now {
		return fmt.Errorf("%s is of batch %d on %s, not of batch %d on %s: run mdp prune, which measures that",
			p.Path("latency.jsonl"), h.Batch, h.Backend, p.Config.LatencyBatch, now)
	}
	return nil
}

// candidates are the dense network, and for each budget the masked, the pruned
// and the fine-tuned one. Nothing is asked of a masked one but its accuracy: it
// is left out where there are no images.
func (p *Pipeline) candidates() ([]candidate, error) {
	g, w, coupling, err := p.network()
	if err != nil {
		return nil, err
	}
	dense, err := p.dense()
	if err != nil {
		return nil, err
	}
	denseMS := ms(dense.LatencyNS)
	all := []candidate{{report.Network{Name: report.Dense, PredictedMS: &denseMS}, g, w}}
	for _, b := range p.Config.Budgets {
		a, err := p.solution(b)
		if err != nil {
			return nil, err
		}
		var choice Choice
		if err := p.ReadJSON(path.Join(b, "choice.json"), &choice); err != nil {
			return nil, err
		}
		masked, err := Mask(g, w, coupling, choice)
		if err != nil {
			return nil, err
		}
		small, err := p.readGraph(path.Join(b, "graph.json"))
		if err != nil {
			return nil, err
		}
		budgetMS, predictedMS := ms(a.Budget), ms(a.Latency)
		row := report.Network{Budget: b, BudgetMS: &budgetMS}
		for _, n := range []struct {
			name, weights string
			leftOut       bool
		}{{report.Masked, "", p.test == nil}, {report.Pruned, "pruned.safetensors", false}, {report.FineTuned, "finetuned.safetensors", p.Config.NoTrain}} {
			if n.leftOut {
				continue
			}
			c := candidate{row, small, nil}
			c.Name = n.name
			if n.weights == "" {
				c.graph, c.weights = g, masked
			} else {
				c.PredictedMS = new(predictedMS)
				if c.weights, err = p.readWeights(path.Join(b, n.weights), small); err != nil {
					return nil, err
				}
			}
			all = append(all, c)
		}
	}
	for i := range all {
		all[i].Parameters, all[i].MACs = all[i].graph.ParamCount(), all[i].graph.MACs()
	}
	return all, nil
}

func (p *Pipeline) accuracy(ctx context.Context, c *candidate) error {
	e, err := train.NewEvaluator(c.graph, p.Backend, 200, p.test, p.normalise)
	if err != nil {
		return err
	}
	defer e.Close()
	a, err := e.Accuracy(ctx, c.weights)
	c.Accuracy = &a.Top1
	return err
}

// latencies times the dense, the pruned and the fine-tuned networks end to end
// on the same images, real ones if there are any. A masked network is the dense one to the device, and
// is left out. A fine-tuned one is the pruned one, and is not: the two rows show
// how far apart two measurements of the same calls lie.
func (p *Pipeline) latencies(ctx context.Context, networks []candidate) (err error) {
	var timed []int
	var programs []*engine.Program
	defer func() {
		for _, q := range programs {
			err = errors.Join(err, q.Close())
		}
	}()
	images, err := p.testImages(networks[0].graph.Shape(0))
	if err != nil {
		return err
	}
	for i, n := range networks {
		if n.Name == report.Masked {
			continue
		}
		q, err := engine.Compile(n.graph, p.Backend, engine.Options{Mode: engine.Infer, Batch: p.Config.LatencyBatch})
		if err != nil {
			return err
		}
		timed, programs = append(timed, i), append(programs, q)
		if err := q.SetWeights(n.weights); err != nil {
			return err
		}
		classes := n.graph.Shape(n.graph.Len() - 1).C
		if err := q.Infer(make([]float32, p.Config.LatencyBatch*classes), images); err != nil {
			return err
		}
	}
	results, err := bench.Networks(ctx, programs, bench.NetworkRule())
	if err != nil {
		return err
	}
	// The dense network comes first, and the budgets are parts of it: predictions
	// are for the pace at which it was measured with the table.
	pace := ms(results[0].MedianNS) / *networks[0].PredictedMS
	networks[0].Note = fmt.Sprintf("predicted here is as measured with the table; this run was %.2f times as slow, and the other predictions and budgets in × are multiplied by that", pace)
	p.remark(StageEval, "dense network %.3f ms, %.3f ms when the table was measured: predictions are multiplied by %.3f", ms(results[0].MedianNS), *networks[0].PredictedMS, pace)
	for i := range networks {
		if n := &networks[i]; strings.HasSuffix(n.Budget, "x") { // a share of the dense latency, as it is now
			n.BudgetMS = new(*n.BudgetMS * pace)
		}
	}
	for i, r := range results {
		if i > 0 {
			*networks[timed[i]].PredictedMS *= pace
		}
		measured, interval := ms(r.MedianNS), ms(r.HighNS-r.LowNS)/2
		networks[timed[i]].MeasuredMS, networks[timed[i]].MeasuredCIMS = &measured, &interval
	}
	return nil
}

// testImages is one batch of test images as inference sees them, each of a shape;
// where the set is smaller, the rest is zero. Without a set they are noise.
func (p *Pipeline) testImages(shape graph.Shape) ([]float32, error) {
	batch := p.Config.LatencyBatch
	if p.test == nil {
		return noise(batch * shape.Size()), nil
	}
	l, err := data.NewLoader(p.test, data.Options{Batch: batch, Steps: []data.Step{p.normalise}})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	images := make([]float32, batch*shape.Size())
	_, err = l.Next(images, make([]int32, batch))
	return images, err
}
