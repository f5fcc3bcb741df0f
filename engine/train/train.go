package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
)

// Run is one training: what is trained, on what, and where it may be resumed from.
type Run struct {
	Graph      *graph.Graph // ends in logits; the loss is added here
	Weights    graph.Weights
	Backend    engine.Backend
	Train      *data.Set
	Test       *data.Set
	Augment    []data.Step  // of the training images
	Normalise  data.Step    // of all images, last
	Recipe     *data.Recipe // Augment and Normalise as numbers, where they are the usual steps: a device that computes beside the host takes bytes and does them itself
	Images     string       // names the sets and the steps: a checkpoint of others is refused
	Config     Config
	Checkpoint string                                  // path; "" keeps none
	Every      time.Duration                           // between checkpoints; each epoch's end writes one as well
	Progress   func(step, total int, m engine.Metrics) // after each step; may be nil
}

// Epoch is how far the training was after one epoch. Accuracies are fractions of 1.
type Epoch struct {
	Epoch         int     `json:"epoch"` // counted from 1
	Loss          float64 `json:"loss"`  // mean over the epoch's training images, as they were seen
	TrainAccuracy float64 `json:"train_accuracy"`
	TestAccuracy  float64 `json:"test_accuracy"`
	Seconds       float64 `json:"seconds"`
	LossScale     float32 `json:"loss_scale,omitempty"` // at its end, where the loss is scaled
	Skipped       int     `json:"skipped,omitempty"`    // steps whose gradients were not finite
}

// Result of a training.
type Result struct {
	Weights graph.Weights
	History []Epoch
	Resumed int // the step at which an earlier run had stopped
}

// Do trains. When ctx ends it writes a checkpoint and returns ctx's error; the
// same call then goes on where it stopped and ends with the same weights, bit
// for bit.
func (r Run) Do(ctx context.Context) (Result, error) {
	if err := r.Config.Check(); err != nil {
		return Result{}, err
	}
	t, err := r.start()
	if err != nil {
		return Result{}, err
	}
	defer t.close()
	for len(t.saved.History) < r.Config.Epochs {
		if len(t.saved.History) == t.epoch() { // else it was stopped before this epoch's evaluation
			if err := t.trainEpoch(ctx); err != nil {
				return Result{}, err
			}
		}
		if err := t.finishEpoch(ctx); err != nil {
			return Result{}, err
		}
	}
	return Result{t.saved.weights, t.saved.History, t.resumed}, nil
}

// trainer is a Run under way.
type trainer struct {
	Run
	program  *engine.Program
	loader   *data.Loader
	eval     *Evaluator
	perEpoch int
	batch    engine.Batch
	atOnce   int        // steps between looks at the loss
	saved    checkpoint // its Step, History and Running are always current, its tensors when saved
	savedAt  time.Time
	resumed  int
}

func (r Run) start() (_ *trainer, err error) {
	g, err := r.Graph.WithLoss(r.Config.LabelSmoothing)
	if err != nil {
		return nil, err
	}
	t := &trainer{Run: r, perEpoch: r.Train.Len() / r.Config.Batch, savedAt: time.Now(), atOnce: 1}
	apart := r.Backend.Info().Device != "cpu" // it computes beside the host
	if apart {
		t.atOnce = 16
	}
	if t.perEpoch == 0 {
		return nil, fmt.Errorf("the training set has %d images, fewer than one batch of %d: use a smaller batch", r.Train.Len(), r.Config.Batch)
	}
	t.saved = checkpoint{Config: r.Config, Graph: graphDigest(r.Graph), Images: r.Images}
	if t.saved.Weights, err = digest(r.Weights); err != nil {
		return nil, err
	}
	weights := r.Weights
	var old *checkpoint
	if r.Checkpoint != "" {
		if old, err = readCheckpoint(r.Checkpoint, t.saved); err != nil {
			return nil, err
		}
	}
	if old != nil {
		t.saved, weights, t.resumed = *old, old.weights, old.Step
	}
	o := engine.Options{Mode: engine.Train, Batch: r.Config.Batch, Nesterov: r.Config.Nesterov}
	load := data.Options{
		Batch: r.Config.Batch, Train: true, Seed: r.Config.Seed,
		StartEpoch: t.epoch(), StartBatch: t.saved.Step % t.perEpoch,
	}
	n := r.Config.Batch * r.Graph.Shape(0).Size()
	t.batch.Labels = make([]int32, r.Config.Batch)
	if apart && r.Recipe != nil {
		load.Recipe, o.Bytes = r.Recipe, normalised(r.Recipe)
		t.batch.Pixels, t.batch.Moves = engine.MakePixels(n), make([]float32, 3*r.Config.Batch)
	} else {
		load.Steps = append(slices.Clone(r.Augment), r.Normalise)
		t.batch.Images = make([]float32, n)
	}
	if t.program, err = engine.Compile(g, r.Backend, o); err != nil {
		return nil, err
	}
	if t.eval, err = NewEvaluator(r.Graph, r.Backend, r.Config.Batch, r.Test, r.Normalise); err != nil {
		return nil, errors.Join(err, t.program.Close())
	}
	t.loader, err = data.NewLoader(r.Train, load)
	if err == nil {
		err = t.program.SetWeights(weights)
	}
	if err == nil && old != nil {
		err = errors.Join(t.program.SetMomenta(old.momenta), t.program.SetScaling(old.Scaling))
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *trainer) close() {
	if t.loader != nil {
		t.loader.Close()
	}
	t.program.Close()
	t.eval.Close()
}

// epoch is how many epochs are done.
func (t *trainer) epoch() int { return t.saved.Step / t.perEpoch }

// trainEpoch runs the steps of the current epoch that are not done yet.
func (t *trainer) trainEpoch(ctx context.Context) error {
	start, before := time.Now(), t.saved.Running.Seconds
	for end := (t.epoch() + 1) * t.perEpoch; t.saved.Step < end; {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), t.save())
		}
		if err := t.steps(ctx, min(t.atOnce, end-t.saved.Step)); err != nil {
			return err
		}
		t.saved.Running.Seconds = before + time.Since(start).Seconds()
		if t.Every > 0 && time.Since(t.savedAt) > t.Every && t.saved.Step < end {
			if err := t.save(); err != nil {
				return err
			}
		}
	}
	if err := t.next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the loader's epoch is longer than %d batches: %w", t.perEpoch, err)
	}
	return nil
}

// steps begins n steps, or fewer when ctx ends, and then looks at what came of them.
func (t *trainer) steps(ctx context.Context, n int) error {
	c := t.Config
	for i := 0; i < n && (i == 0 || ctx.Err() == nil); i++ {
		if err := t.next(); err != nil {
			return err
		}
		err := t.program.Start(t.batch, engine.Hyper{
			LearningRate: float32(c.rate(t.saved.Step+i, t.perEpoch)), Momentum: float32(c.Momentum), WeightDecay: float32(c.WeightDecay)})
		if err != nil {
			return err
		}
	}
	came, err := t.program.Metrics()
	if err != nil {
		return err
	}
	for _, m := range came {
		if !finite(m.Loss) {
			return t.diverged(fmt.Sprintf("the loss is %g", m.Loss), t.saved.Step)
		}
		t.saved.Step++
		t.saved.Running.Loss += m.Loss
		t.saved.Running.TrainAccuracy += float64(m.Top1)
		if t.Progress != nil {
			t.Progress(t.saved.Step, c.Epochs*t.perEpoch, m)
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func (t *trainer) diverged(how string, step int) error {
	return fmt.Errorf("%s at step %d, learning rate %.3g: it diverged; try again with a lower learning rate or a longer warm-up", how, step, t.Config.rate(step, t.perEpoch))
}

// finishEpoch evaluates and writes the epoch down. The loss of a step is of the
// weights before it, so what the last one left is looked at here.
func (t *trainer) finishEpoch(ctx context.Context) error {
	w, err := t.program.Weights()
	if err != nil {
		return err
	}
	last := t.saved.Step - 1
	for name := range w {
		for _, v := range w.Data(name) {
			if !finite(float64(v)) {
				return t.diverged(fmt.Sprintf("%s has a weight of %g", name, v), last)
			}
		}
	}
	m, err := t.eval.Accuracy(ctx, w)
	if err != nil && ctx.Err() != nil {
		return errors.Join(ctx.Err(), t.save())
	}
	if err != nil {
		return err
	}
	if !finite(m.Loss) {
		return t.diverged(fmt.Sprintf("the test loss is %g", m.Loss), last)
	}
	scaling, err := t.program.Scaling()
	if err != nil {
		return err
	}
	skipped := scaling.Skipped
	for _, e := range t.saved.History {
		skipped -= e.Skipped
	}
	if skipped == t.perEpoch {
		return t.diverged("no gradient of the epoch was finite", last)
	}
	e, images := t.saved.Running, float64(t.perEpoch*t.Config.Batch)
	t.saved.History = append(t.saved.History, Epoch{
		Epoch: t.epoch(), Loss: e.Loss / images, TrainAccuracy: e.TrainAccuracy / images,
		TestAccuracy: m.Top1, Seconds: e.Seconds, LossScale: scaling.Scale, Skipped: skipped,
	})
	t.saved.Running = Epoch{}
	return t.save()
}

func (t *trainer) save() (err error) {
	if t.saved.weights, err = t.program.Weights(); err != nil {
		return err
	}
	if t.saved.momenta, err = t.program.Momenta(); err != nil {
		return err
	}
	if t.saved.Scaling, err = t.program.Scaling(); err != nil {
		return err
	}
	t.savedAt = time.Now()
	if t.Checkpoint == "" {
		return nil
	}
	return t.saved.write(t.Checkpoint)
}
