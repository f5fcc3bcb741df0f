package enginetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// RunPrograms checks that whole networks compute the same numbers whatever lies in the
// memory of their values before each run: none is read before it is written.
func RunPrograms(t *testing.T, b engine.Backend) {
	for _, p := range programs {
		t.Run(p.String(), func(t *testing.T) {
			require.NoError(t, p.compare(b), replay(t))
		})
	}
}

// hundred is a number in every kind of storage: where a maximum or an activation hides
// a NaN, it shows.
const hundred = 0x42c842c8

// program is a network and what is done with it.
type program struct {
	net   string
	side  int
	width float64
	chunk int // of masks, 0 for none
}

var programs = []program{
	{"resnet8-cifar", 7, 0.5, 0}, // its shortcuts have strides
	{"resnet8-cifar", 7, 1, 8},
	{"mobilenet_v2", 12, 0.25, 0},
}

func (p program) String() string {
	if p.chunk > 0 {
		return fmt.Sprintf("%s masked by %d", p.net, p.chunk)
	}
	return p.net
}

// compare runs it on memory full of NaN and full of numbers.
func (p program) compare(b engine.Backend) error {
	want, err := p.run(dirty{b, hundred})
	if err != nil {
		return err
	}
	got, err := p.run(dirty{b, sentinel})
	if err != nil {
		return err
	}
	return same(want, got)
}

const (
	programBatch   = 8
	programClasses = 4
)

// run trains two steps, scores and infers; it returns all that the host can read.
func (p program) run(b engine.Backend) (map[string][]float32, error) {
	g, err := nets.Build(p.net, nets.Options{Classes: programClasses, Input: graph.Shape{H: p.side, W: p.side, C: 3}, Width: p.width})
	if err != nil {
		return nil, err
	}
	training, err := g.WithLoss(0.1)
	if err != nil {
		return nil, err
	}
	weights, on := graph.InitWeights(g, 1), map[string][]bool{}
	if p.chunk > 0 {
		on = Silence(g, weights, p.chunk)
	}
	r := rand.New(rand.NewPCG(1, 2))
	images, labels := make([]float32, programBatch*g.Shape(0).Size()), make([]int32, programBatch)
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	for i := range labels {
		labels[i] = int32(i % programClasses)
	}
	found := map[string][]float32{}
	keep := func(what string, w map[string][]float32) {
		for name, x := range w {
			found[what+" of "+name] = x
		}
	}
	data := func(w graph.Weights) map[string][]float32 {
		all := map[string][]float32{}
		for name := range w {
			all[name] = w.Data(name)
		}
		return all
	}
	compile := func(g *graph.Graph, mode engine.Mode) (*engine.Program, error) {
		o := engine.Options{Mode: mode, Batch: programBatch, MaskChunk: p.chunk, Nesterov: true}
		if mode == engine.Train {
			o.Score = lastNorms(g)
		}
		q, err := engine.Compile(g, b, o)
		if err != nil {
			return nil, err
		}
		err = q.SetWeights(weights)
		if p.chunk > 0 {
			err = errors.Join(err, q.SetMask(on))
		}
		if err != nil {
			return nil, errors.Join(err, q.Close())
		}
		return q, nil
	}

	learn := func(q *engine.Program) error {
		if z, err := q.Scaling(); err != nil || z.Scale != 0 {
			if err := errors.Join(err, q.SetScaling(engine.Scaling{Scale: 1. / (1 << 6)})); err != nil { // no step is left out
				return err
			}
		}
		for step := range 2 {
			m, err := q.Step(images, labels, engine.Hyper{LearningRate: 0.02, Momentum: 0.9, WeightDecay: 1e-4})
			if err != nil {
				return err
			}
			keep("metrics", map[string][]float32{fmt.Sprint("step ", step): {float32(m.Loss), float32(m.Top1), float32(m.Top5)}})
		}
		if _, err := q.Gradient(images, labels); err != nil {
			return err
		}
		w, errW := q.Weights()
		m, errM := q.Momenta()
		d, errD := q.Gradients()
		s, errS := q.Scores()
		z, errZ := q.Scaling()
		keep("weights", data(w))
		keep("momentum", data(m))
		keep("gradient", data(d))
		keep("score", s)
		found["loss scale"] = []float32{z.Scale, float32(z.Good), float32(z.Skipped)}
		return errors.Join(errW, errM, errD, errS, errZ)
	}
	infer := func(q *engine.Program) error {
		logits := make([]float32, programBatch*programClasses)
		found["logits"] = logits
		return q.Infer(logits, images)
	}
	evaluate := func(q *engine.Program) error {
		m, err := q.Evaluate(images, labels)
		found["metrics"] = []float32{float32(m.Loss), float32(m.Top1), float32(m.Top5)}
		return err
	}
	for _, part := range []struct {
		graph *graph.Graph
		mode  engine.Mode
		do    func(*engine.Program) error
	}{{training, engine.Train, learn}, {g, engine.Infer, infer}, {training, engine.Infer, evaluate}} {
		q, err := compile(part.graph, part.mode)
		if err == nil {
			err = errors.Join(part.do(q), q.Close())
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// lastNorms are groups of one batch norm each: the last two.
func lastNorms(g *graph.Graph) (score [][]string) {
	for i := g.Len() - 1; len(score) < 2; i-- {
		if n := g.Node(i); n.Op == graph.OpBatchNorm {
			score = append(score, []string{n.Name})
		}
	}
	return score
}

// Silence makes the weights of every second chunk of channels zero, but those of the
// image and the classes, and says which are on.
func Silence(g *graph.Graph, w graph.Weights, chunk int) map[string][]bool {
	on, classes := map[string][]bool{}, g.Len()-1
	if g.Node(classes).Op == graph.OpSoftmaxLoss {
		classes--
	}
	for i := range g.Len() {
		flags := make([]bool, g.Shape(i).C)
		for c := range flags {
			flags[c] = c/chunk%2 == 0 || i == 0 || i >= classes
		}
		on[g.Node(i).Name] = flags
		for _, p := range g.NodeParams(i) {
			d := w.Data(p.Name)
			for j := range d {
				if p.Role.Learned() && !flags[j*p.Shape[0]/len(d)] {
					d[j] = 0
				}
			}
		}
	}
	return on
}

// same is nil where both are the same numbers, bit for bit.
func same(want, got map[string][]float32) error {
	for name, w := range want {
		for i, v := range got[name] {
			if d := v - w[i]; !(d == 0) || math.Float32bits(v) != math.Float32bits(w[i]) {
				return fmt.Errorf("%s[%d] of %d is %g, not %g", name, i, len(w), v, w[i])
			}
		}
	}
	return nil
}

// dirty is a backend that fills what is not fixed with a word before each run.
type dirty struct {
	engine.Backend
	word uint32
}

func (d dirty) Prepare(p *engine.Plan) (engine.Executor, error) {
	q := *p
	q.Spans = append(slices.Clip(p.Spans), engine.Span{Offset: p.Fixed, Len: p.Len - p.Fixed}, engine.Span{Len: p.LaneLen, Lane: true})
	e, err := d.Backend.Prepare(&q)
	if err != nil {
		return nil, err
	}
	fill := make([]float32, max(p.Len-p.Fixed, p.LaneLen))
	for i := range fill {
		fill[i] = math.Float32frombits(d.word)
	}
	return &dirtied{e, &q, fill}, nil
}

type dirtied struct {
	engine.Executor
	plan *engine.Plan
	fill []float32
}

func (d *dirtied) dirty(from int) error {
	n, p := len(d.plan.Spans), d.plan
	if from > 0 {
		return nil
	}
	err := d.Write(engine.Buffer(n-2), d.fill[:p.Len-p.Fixed])
	if p.Lanes > 0 {
		err = errors.Join(err, d.Write(engine.Buffer(n-1), d.fill[:p.LaneLen]))
	}
	return err
}

func (d *dirtied) Run(from, to int) error {
	return errors.Join(d.dirty(from), d.Executor.Run(from, to))
}

func (d *dirtied) Start(from, to int) error {
	return errors.Join(d.dirty(from), d.Executor.Start(from, to))
}

func (d *dirtied) Time(latencyNS []int64) error {
	return errors.Join(d.dirty(0), d.Executor.Time(latencyNS))
}
