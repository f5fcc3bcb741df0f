package prune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/train"
)

// trainDense trains the network from scratch, or takes the one that is given.
func (p *Pipeline) trainDense(ctx context.Context) error {
	c := p.Config
	if c.given() {
		return p.take(ctx)
	}
	images, err := p.trainedOn()
	if err != nil {
		return fmt.Errorf("%s: %w", StageTrain, err)
	}
	key := map[string]any{"net": c.Net, "width": c.Width, "seed": c.Seed, "training": c.training(), "data": images, "isa": p.Backend.Info().Arithmetic()}
	checkpoint, err := p.checkpoint(StageTrain, "", key, nil)
	if err != nil {
		return err
	}
	return p.finish(p.stage(StageTrain, "", key, nil, denseFiles, func() error {
		g, err := nets.Build(c.Net, p.fitting())
		if err != nil {
			return err
		}
		if _, err := p.couple(g); err != nil { // hours of training would come before it is used
			return err
		}
		r, err := p.fit(ctx, StageTrain, g, graph.InitWeights(g, c.Seed), c.training(), checkpoint)
		if err != nil {
			return err
		}
		return p.writeTrained(g, r.Weights, r.History)
	}), checkpoint)
}

// denseFiles are what the first stage leaves.
var denseFiles = []string{"graph.json", "weights.safetensors", "train.json"}

// fitting makes a network for the data set.
func (p *Pipeline) fitting() nets.Options {
	return nets.Options{Classes: len(p.test.Classes), Input: graph.Shape{H: p.test.H, W: p.test.W, C: p.test.C}, Width: p.Config.Width}
}

// writeTrained replaces the dense network, once there is one to take its place.
func (p *Pipeline) writeTrained(g *graph.Graph, w graph.Weights, history []train.Epoch) error {
	if err := p.Write("graph.json", g.Write); err != nil {
		return err
	}
	if err := p.writeWeights("weights.safetensors", w); err != nil {
		return err
	}
	if err := writeInput(p.dir, p.input); err != nil {
		return err
	}
	return p.WriteJSON("train.json", history)
}

// checkpoint names the file that a training goes on from: one for each of its
// configurations, so that one which was stopped can wait while another runs.
func (p *Pipeline) checkpoint(s Stage, budget string, key any, in []string) (string, error) {
	d, _, err := p.inputs(key, in)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path.Join(string(s), budget), err)
	}
	return path.Join(budget, fmt.Sprintf("%s.%.8s.checkpoint", s, d)), nil
}

// fit trains g, going on from the checkpoint where there is one. The checkpoint
// stays until the stage has written its outputs; see finish.
func (p *Pipeline) fit(ctx context.Context, s Stage, g *graph.Graph, w graph.Weights, c train.Config, checkpoint string) (train.Result, error) {
	if err := p.readyFor(g); err != nil {
		return train.Result{}, err
	}
	images, err := p.trainedOn()
	if err != nil {
		return train.Result{}, err
	}
	tell := p.progress(s, "steps")
	seen, right, loss := 0, 0, 0.0
	r, err := train.Run{
		Graph: g, Weights: w, Backend: p.Backend, Train: p.train, Test: p.test, Augment: p.augment(), Normalise: p.normalise, Recipe: p.recipe(),
		Images: images, Config: c, Checkpoint: p.Path(checkpoint), Every: p.Config.Checkpoint,
		Progress: func(step, total int, m engine.Metrics) {
			seen, right, loss = seen+c.Batch, right+m.Top1, loss+m.Loss
			tell(step, total, fmt.Sprintf("loss %.3f, accuracy %.1f %%", loss/float64(seen), 100*float64(right)/float64(seen)))
			if seen > 50*c.Batch {
				seen, right, loss = 0, 0, 0
			}
		},
	}.Do(ctx)
	if err != nil {
		return r, err
	}
	for _, e := range r.History {
		if err := p.Log("epoch", map[string]any{"stage": s, "checkpoint": checkpoint, "epoch": e}); err != nil {
			return r, err
		}
	}
	last := r.History[len(r.History)-1]
	if last.LossScale > 0 {
		skipped := 0
		for _, e := range r.History {
			skipped += e.Skipped
		}
		p.remark(s, "loss scale %g at the end; %d steps skipped, whose gradients overflowed", last.LossScale, skipped)
	}
	p.remark(s, "test accuracy %.2f %% after %d epochs, %.0f images/s", 100*last.TestAccuracy, last.Epoch, float64(p.train.Len())/last.Seconds)
	return r, nil
}

// finish removes the checkpoint of a training whose stage is done.
func (p *Pipeline) finish(err error, checkpoint string) error {
	if err != nil {
		return err
	}
	if err := os.Remove(p.Path(checkpoint)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// score gathers the importance of every channel.
func (p *Pipeline) score(ctx context.Context) error {
	c := p.Config
	importance := c.importance()
	key := map[string]any{"importance": importance}
	switch importance {
	case Taylor:
		images, err := p.trainedOnAgain()
		if err != nil {
			return fmt.Errorf("%s: %w", StageScore, err)
		}
		maps.Copy(key, map[string]any{"batches": c.ScoreBatches, "batch": c.Batch, "smoothing": c.LabelSmoothing, "seed": c.Seed, "data": images, "isa": p.Backend.Info().Arithmetic()})
	case Random:
		key["seed"] = c.Seed
	}
	return p.stage(StageScore, "", key, []string{"graph.json", "weights.safetensors"}, []string{"scores.json"}, func() error {
		g, w, coupling, err := p.network()
		if err != nil {
			return err
		}
		var s Scores
		switch importance {
		case Magnitude:
			s = MagnitudeScores(g, coupling, w)
		case Random:
			s = RandomScores(g, coupling, c.Seed)
		default:
			if s, err = p.taylor(ctx, g, w, coupling); err != nil {
				return err
			}
		}
		if err := s.Check(); err != nil {
			return err
		}
		return p.WriteJSON("scores.json", s)
	})
}

// taylor runs training batches forward and backward without moving a weight.
func (p *Pipeline) taylor(ctx context.Context, g *graph.Graph, w graph.Weights, coupling *Coupling) (Scores, error) {
	if err := p.readyFor(g); err != nil {
		return Scores{}, err
	}
	c := p.Config
	withLoss, err := g.WithLoss(c.LabelSmoothing)
	if err != nil {
		return Scores{}, err
	}
	program, err := engine.Compile(withLoss, p.Backend, engine.Options{Mode: engine.Train, Batch: c.Batch, Score: Members(g, coupling)})
	if err != nil {
		return Scores{}, err
	}
	defer program.Close()
	if err := program.SetWeights(w); err != nil {
		return Scores{}, err
	}
	loader, err := data.NewLoader(p.train, data.Options{Batch: c.Batch, Train: true, Seed: c.Seed, Steps: append(p.augment(), p.normalise)})
	if err != nil {
		return Scores{}, err
	}
	defer loader.Close()
	images, labels := make([]float32, c.Batch*g.Shape(0).Size()), make([]int32, c.Batch)
	tell := p.progress(StageScore, "batches")
	for i := 0; i < c.ScoreBatches; {
		if err := ctx.Err(); err != nil {
			return Scores{}, err
		}
		_, err := loader.Next(images, labels)
		if errors.Is(err, io.EOF) {
			continue // the next epoch
		}
		if err != nil {
			return Scores{}, err
		}
		if _, err := program.Gradient(images, labels); err != nil {
			return Scores{}, err
		}
		i++
		tell(i, c.ScoreBatches, "")
	}
	return TaylorScores(program, c.ScoreBatches)
}
