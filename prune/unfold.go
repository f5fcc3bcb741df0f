package prune

import (
	"context"
	"errors"
	"io"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
)

// unfold puts back the batch norms that exporters fold into convolutions: a
// network trains far better with them, and its channels are scored by them. Their
// statistics are those of training images.
func (p *Pipeline) unfold(ctx context.Context, g *graph.Graph, w graph.Weights) (*graph.Graph, graph.Weights, error) {
	bare := graph.Bare(g)
	if len(bare) == 0 {
		return g, w, nil
	}
	statistics, err := p.statistics(ctx, g, w)
	if err != nil {
		return nil, nil, err
	}
	p.remark(StageTrain, "%d convolutions have no batch norm, as exporters fold them: they get one back, which changes no result", len(bare))
	return graph.Unfold(g, w, statistics)
}

// statistics are the means and variances behind the bare convolutions over batches
// of training images, as graph.Probe names them.
func (p *Pipeline) statistics(ctx context.Context, g *graph.Graph, w graph.Weights) (graph.Weights, error) {
	const batches = 16
	batch := min(32, p.train.Len())
	probe, w, err := graph.Probe(g, w)
	if err == nil {
		probe, err = probe.WithLoss(0)
	}
	if err != nil {
		return nil, err
	}
	program, err := engine.Compile(probe, p.Backend, engine.Options{Mode: engine.Train, Batch: batch})
	if err != nil {
		return nil, err
	}
	defer program.Close()
	if err := program.SetWeights(w); err != nil {
		return nil, err
	}
	loader, err := data.NewLoader(p.train, data.Options{Batch: batch, Train: true, Seed: p.Config.Seed, Steps: []data.Step{p.normalise}})
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	images, labels := make([]float32, batch*g.Shape(0).Size()), make([]int32, batch)
	var all []graph.Weights
	for len(all) < batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		_, err := loader.Next(images, labels)
		if errors.Is(err, io.EOF) {
			continue // the next epoch
		}
		if err != nil {
			return nil, err
		}
		if _, err := program.Gradient(images, labels); err != nil {
			return nil, err
		}
		seen, err := program.Weights()
		if err != nil {
			return nil, err
		}
		all = append(all, seen)
	}
	return pooled(graph.Bare(g), all), nil
}

// pooled joins the statistics of batches of one size:
//
//	μ = mean(μᵢ), σ² = mean(σᵢ²) + mean((μᵢ − μ)²)
func pooled(bare []string, batches []graph.Weights) graph.Weights {
	out := graph.Weights{}
	n := float64(len(batches))
	for _, conv := range bare {
		mean, variance := conv+".norm.running_mean", conv+".norm.running_var"
		channels := len(batches[0].Data(mean))
		out[mean], out[variance] = graph.NewTensor(channels), graph.NewTensor(channels)
		for c := range channels {
			var m, v float64
			for _, b := range batches {
				m += float64(b.Data(mean)[c]) / n
			}
			for _, b := range batches {
				d := float64(b.Data(mean)[c]) - m
				v += (float64(b.Data(variance)[c]) + d*d) / n
			}
			out.Data(mean)[c], out.Data(variance)[c] = float32(m), float32(v)
		}
	}
	return out
}
