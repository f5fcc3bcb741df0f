package train

import (
	"context"
	"errors"
	"io"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
)

// Evaluator measures accuracy on a whole set.
type Evaluator struct {
	program   *engine.Program
	set       *data.Set
	normalise data.Step
	images    []float32
	labels    []int32
}

// Accuracy on a set, fractions of 1, and the mean loss without smoothing.
type Accuracy struct {
	Top1, Top5, Loss float64
}

// NewEvaluator compiles g for inference in batches.
func NewEvaluator(g *graph.Graph, b engine.Backend, batch int, set *data.Set, normalise data.Step) (*Evaluator, error) {
	g, err := g.WithLoss(0)
	if err != nil {
		return nil, err
	}
	p, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: batch})
	if err != nil {
		return nil, err
	}
	return &Evaluator{p, set, normalise, make([]float32, batch*g.Shape(0).Size()), make([]int32, batch)}, nil
}

// Close frees the program's memory.
func (e *Evaluator) Close() error { return e.program.Close() }

// Accuracy of the network with these weights.
func (e *Evaluator) Accuracy(ctx context.Context, w graph.Weights) (Accuracy, error) {
	if err := e.program.SetWeights(w); err != nil {
		return Accuracy{}, err
	}
	loader, err := data.NewLoader(e.set, data.Options{Batch: len(e.labels), Steps: []data.Step{e.normalise}})
	if err != nil {
		return Accuracy{}, err
	}
	defer loader.Close()
	var a Accuracy
	for {
		n, err := loader.Next(e.images, e.labels)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Accuracy{}, err
		}
		for i := n; i < len(e.labels); i++ {
			e.labels[i] = -1
		}
		m, err := e.program.Evaluate(e.images, e.labels)
		if err != nil {
			return Accuracy{}, err
		}
		a.Top1 += float64(m.Top1)
		a.Top5 += float64(m.Top5)
		a.Loss += m.Loss
	}
	n := float64(e.set.Len())
	return Accuracy{a.Top1 / n, a.Top5 / n, a.Loss / n}, nil
}
