package prune

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"mdp/bench"
	"mdp/engine/graph"
	"mdp/prune/report"
)

// Deployable is a network as it is handed out, with what is known of it.
type Deployable struct {
	Graph   *graph.Graph
	Weights graph.Weights
	Kept    *Kept // of the dense network; nil where nothing was cut
	Facts   []Fact
}

// Fact is a line about a network: what it was made of, and for which device.
type Fact struct{ Key, Value string }

// Dense is what the network is called that budgets are cut from.
const Dense = "dense"

// Deployable reads a network of the run, for a budget or Dense: fine-tuned if it
// has been.
func (p *Pipeline) Deployable(budget string) (Deployable, error) {
	g, w, c, err := p.network()
	if err != nil {
		return Deployable{}, err
	}
	d := Deployable{Graph: g, Weights: w, Facts: []Fact{{"network", g.Name()}, {"data", p.Config.Data}}}
	if budget != Dense {
		if err := p.cutTo(&d, c, budget); err != nil {
			return d, err
		}
	}
	if n, err := readInput(p.dir); err != nil {
		return d, err
	} else if n != nil {
		d.add("mean", fmt.Sprint(n.Mean))
		d.add("std", fmt.Sprint(n.Std))
	}
	d.add("parameters", fmt.Sprint(d.Graph.ParamCount()))
	d.add("macs", fmt.Sprint(d.Graph.MACs()))
	return d, p.measured(&d, budget)
}

func (d *Deployable) add(key, value string) { d.Facts = append(d.Facts, Fact{key, value}) }

// cutTo replaces the dense network by the one for a budget.
func (p *Pipeline) cutTo(d *Deployable, c *Coupling, budget string) error {
	var choice Choice
	if err := p.ReadJSON(path.Join(budget, "choice.json"), &choice); err != nil {
		return fmt.Errorf("%w; mdp extract makes the networks of the budgets %s", err, strings.Join(p.Config.Budgets, ", "))
	}
	kept, err := NewKept(d.Graph, c, choice)
	if err != nil {
		return err
	}
	small, err := p.readGraph(path.Join(budget, "graph.json"))
	if err != nil {
		return err
	}
	d.add("budget", budget)
	file := path.Join(budget, "finetuned.safetensors")
	if p.Config.NoTrain || !exists(p.Path(file)) {
		file = path.Join(budget, "pruned.safetensors")
		d.add("training", "none since it was cut")
	}
	w, err := p.readWeights(file, small)
	if err == nil {
		err = p.fresh(path.Join(budget, "finetuned.safetensors"))
	}
	if err != nil {
		return err
	}
	d.add("dense_parameters", fmt.Sprint(d.Graph.ParamCount()))
	d.add("dense_macs", fmt.Sprint(d.Graph.MACs()))
	removed, all := 0, 0
	for _, on := range choice.BlockOn {
		if all++; !on {
			removed++
		}
	}
	d.add("pruned", fmt.Sprintf("%d of %d blocks and %d of %d layers' channels", removed, all, kept.narrowed(), len(kept.Layers)))
	d.Graph, d.Weights, d.Kept = small, w, &kept
	return nil
}

// narrowed is how many of the layers left have lost channels.
func (k Kept) narrowed() int {
	n := 0
	for _, l := range k.Layers {
		if len(l.Out) < l.Shape[0] || len(l.In) > 0 && len(l.In) < l.Shape[1] {
			n++
		}
	}
	return n
}

// measured adds what the run knows of the network's speed and accuracy, if it does.
func (p *Pipeline) measured(d *Deployable, budget string) error {
	h, _, err := bench.ReadTable(p.Path("latency.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d.add("device", strings.Join([]string{h.Backend, h.CPU}, ", "))
	d.add("latency_batch", strconv.Itoa(h.Batch))
	var rows []report.Network
	err = p.ReadJSON("eval.json", &rows)
	if errors.Is(err, fs.ErrNotExist) || err == nil && p.fresh("eval.json") != nil { // of other networks
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range rows {
		name := report.FineTuned
		switch {
		case budget == Dense:
			name = report.Dense
		case p.Config.NoTrain:
			name = report.Pruned
		}
		if r.Name == name && (r.Budget == budget || budget == Dense) {
			for _, v := range []struct {
				key   string
				value *float64
			}{{"predicted_ms", r.PredictedMS}, {"measured_ms", r.MeasuredMS}, {"accuracy", r.Accuracy}} {
				if v.value != nil {
					d.add(v.key, strconv.FormatFloat(*v.value, 'g', 6, 64))
				}
			}
		}
	}
	return nil
}
