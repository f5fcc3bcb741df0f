// Package engine turns a graph into a program for one device: a fixed list of
// calls over one block of memory, planned once and then run without a decision
// or an allocation.
//
// Compile fuses nodes into units (fuse.go), lists each unit's calls forward
// (forward.go), joins what the backend has as one (norm.go) and, in training, lists
// them backward (backward.go), some values anew (again.go), cuts the batch where the
// backend wants that (slice.go), and lays the buffers in memory by their lifetimes
// (plan.go). A Backend runs the list (backend.go); what each call must compute stands
// with the call (call.go).
package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"mdp/engine/graph"
)

// Mode is what a program is for.
type Mode string

// The modes. A program of either mode can be timed call by call with Time.
const (
	Train Mode = "train" // batch statistics, gradients, optimiser
	Infer Mode = "infer" // running statistics folded into the filters, nothing kept for a backward pass
)

// Options of Compile.
type Options struct {
	Mode  Mode
	Batch int

	// Bytes, where set, makes a program that takes images as bytes and normalises
	// them itself.
	Bytes *Bytes

	// MaskChunk, where positive, makes the convolutions of one group masked ones, in
	// chunks of so many channels. All are on until SetMask.
	MaskChunk int

	// Nesterov momentum instead of the classical one (training).
	Nesterov bool

	// Score lists coupled groups whose Taylor importance is gathered (training):
	// each the names of its members, batch norms or, for filters without one,
	// convolutions and linear layers, all of one channel count.
	Score [][]string
}

// Bytes is how pixels p, 0 to 255, become what a network takes, by channel:
// (p/255 − Mean)·Scale.
type Bytes struct{ Mean, Scale []float32 }

// Recorded is how many runs' metrics a program keeps for Metrics.
const Recorded = 32

// maxBatch keeps every size of a plan far from overflow: a tensor of one sample
// has at most 2^45 elements.
const maxBatch = 1 << 16

// Compile makes the program of g on b. The graph ends in its logits or, always
// in training, in a loss; see graph.WithLoss.
func Compile(g *graph.Graph, b Backend, o Options) (*Program, error) {
	if err := o.check(g); err != nil {
		return nil, fmt.Errorf("compile %q: %w", g.Name(), err)
	}
	l := newLowering(g, o, b)
	l.loadImages()
	l.forward()
	l.joinNorms()
	backward, update := len(l.calls), len(l.calls)
	if o.Mode == Train {
		l.backward()
		l.joinGradients()
		l.lossScale()
		if err := l.scores(); err != nil {
			return nil, fmt.Errorf("compile %q: %w", g.Name(), err)
		}
		update = len(l.calls)
		l.update()
	}
	for _, c := range l.calls {
		if err := b.Supports(c); err != nil {
			return nil, fmt.Errorf("compile %q on %s: %w", g.Name(), b.Name(), err)
		}
	}
	plan := l.layout(b, o.Batch, l.slice(b))
	plan.Input, plan.Constant = l.written()
	exec, err := b.Prepare(plan)
	if err != nil {
		return nil, fmt.Errorf("compile %q on %s: %w", g.Name(), b.Name(), err)
	}
	p := &Program{
		graph: g, options: o, plan: plan, exec: exec, nodes: l.nodes, units: l.units, backward: backward, update: update,
		image: l.value[0], bytes: l.bytes, logits: l.value[l.logits], labels: l.labels, metrics: l.history, hyper: l.hyper, scale: l.scale,
		lists: l.lists, params: l.params, grads: l.grads, momenta: l.momenta, score: l.score, labelRow: make([]float32, o.Batch),
	}
	if err := p.begin(); err != nil {
		return nil, errors.Join(err, exec.Close())
	}
	return p, nil
}

// check reports what of the options makes no sense, or not for the graph.
func (o Options) check(g *graph.Graph) error {
	c := g.Shape(0).C
	switch {
	case o.Batch < 1 || o.Batch > maxBatch:
		return fmt.Errorf("batch %d must be 1..%d", o.Batch, maxBatch)
	case o.Mode != Train && o.Mode != Infer:
		return fmt.Errorf("unknown mode %q", o.Mode)
	case o.Mode == Train && g.Node(g.Len()-1).Op != graph.OpSoftmaxLoss:
		return errors.New("training needs a graph that ends in a loss")
	case o.Bytes != nil && (len(o.Bytes.Mean) != c || len(o.Bytes.Scale) != c):
		return fmt.Errorf("images of %d channels, a mean of %d and a scale of %d", c, len(o.Bytes.Mean), len(o.Bytes.Scale))
	}
	for i := range g.Len() {
		if n := g.Node(i); o.Mode == Train && n.Op == graph.OpSoftmax {
			return fmt.Errorf("softmax %q is for inference; train on the logits before it", n.Name)
		}
	}
	return nil
}

// written are the buffers that the host writes: before each run, and once.
func (l *lowering) written() (input, constant []Buffer) {
	for _, b := range []Buffer{l.bytes.Pixels, l.bytes.Moves, l.labels, l.hyper} {
		if b != None {
			input = append(input, b)
		}
	}
	if l.o.Bytes == nil {
		input = append(input, l.value[0])
	}
	if l.o.Mode == Infer {
		constant = slices.Collect(maps.Values(l.params))
	}
	return input, constant
}

// begin writes what a program begins with.
func (p *Program) begin() error {
	if p.scale != None {
		if err := p.SetScaling(Scaling{Scale: firstScale}); err != nil {
			return err
		}
	}
	if p.options.MaskChunk > 0 {
		if err := p.SetMask(nil); err != nil {
			return err
		}
	}
	if b := p.options.Bytes; b != nil {
		return errors.Join(p.exec.Write(p.bytes.Mean, b.Mean), p.exec.Write(p.bytes.Scale, b.Scale))
	}
	return nil
}

// lowering is a graph on its way to a list of calls.
type lowering struct {
	*planner
	g       *graph.Graph
	o       Options
	b       Backend
	storage Storage // of activations and their gradients
	units   []unit
	loss    int // the loss node, −1 without one
	logits  int // the node whose value the loss reads, or the last

	value []Buffer // node → its output; a flatten shares its input's
	grad  []Buffer // node → gradient of its output, None until something writes it

	params, grads, momenta map[string]Buffer
	mean, invstd           []Buffer       // of training batch norms, by node
	norms                  map[int]normed // batch norms whose output is not in memory, by the node it is of
	forgotten              map[int]unit   // batch norms whose output is computed again, by the node it is of
	sgd                    SGD            // over all of them

	bytes                           LoadImages     // with Options.Bytes
	lists                           map[int]Buffer // node → which chunks of its output are on, with Options.MaskChunk
	labels, metrics, history, hyper Buffer
	scale                           Buffer // of the loss, where it is scaled

	signed map[string]Buffer // member of a scored group → its signed Taylor term
	score  map[string]Buffer
}

func newLowering(g *graph.Graph, o Options, b Backend) *lowering {
	l := &lowering{
		planner: newPlanner(), g: g, o: o, b: b, storage: b.Info().Storage,
		units:  fuse(g, o.Mode == Train),
		loss:   -1,
		logits: g.Len() - 1,
		value:  make([]Buffer, g.Len()), grad: make([]Buffer, g.Len()),
		mean: make([]Buffer, g.Len()), invstd: make([]Buffer, g.Len()),
		lists: map[int]Buffer{}, norms: map[int]normed{}, forgotten: map[int]unit{},
		params: map[string]Buffer{}, grads: map[string]Buffer{}, momenta: map[string]Buffer{},
		signed: map[string]Buffer{}, score: map[string]Buffer{},
	}
	if g.Node(l.logits).Op == graph.OpSoftmaxLoss {
		l.loss = l.logits
		l.logits = g.Inputs(l.loss)[0]
	}
	for _, members := range o.Score {
		for _, m := range members {
			l.signed[m] = None
		}
	}
	l.value[0] = l.fix(l.activation(0))
	if o.Mode == Train {
		l.trainingParams()
		if b.Info().scalesLoss() && l.sgd.Len > 0 {
			l.scale = l.permanent(scaleLen)
		}
	} else {
		l.inferenceParams()
	}
	return l
}

// trainingParams lays out every parameter, its gradient and its momentum: first
// what weight decay touches (filters), then what it does not (biases, batch
// norms), so that the optimiser is one call. Running statistics have neither
// gradient nor momentum.
func (l *lowering) trainingParams() {
	var names []string
	var lens []int
	for _, decay := range []bool{true, false} {
		for _, p := range l.g.Params() {
			if p.Role.Learned() && (p.Role == graph.RoleFilter) == decay {
				names, lens = append(names, p.Name), append(lens, p.Size())
				l.sgd.Len += roundUp(p.Size())
			}
		}
		if decay {
			l.sgd.Decayed = l.sgd.Len
		}
	}
	for _, run := range []struct {
		all  *Buffer
		each map[string]Buffer
	}{{&l.sgd.P, l.params}, {&l.sgd.V, l.momenta}, {&l.sgd.DP, l.grads}} {
		all, each := l.region(lens)
		*run.all = all
		for i, name := range names {
			run.each[name] = each[i]
		}
	}
	for _, p := range l.g.Params() {
		if !p.Role.Learned() {
			l.params[p.Name] = l.permanent(p.Size())
		}
	}
}

// inferenceParams lays out what inference reads: filters and biases with batch
// norm folded in, and the parameters of batch norms that could not be folded.
func (l *lowering) inferenceParams() {
	for _, u := range l.units {
		for _, p := range l.g.NodeParams(u.head) {
			l.params[p.Name] = l.permanent(p.Size())
		}
		if u.norm >= 0 {
			if bias := l.g.Node(u.head).Name + ".bias"; l.params[bias] == None {
				l.params[bias] = l.permanent(l.g.Shape(u.head).C)
			}
		}
	}
}

// size is the number of elements of node i's output for a whole batch; rows
// leaves out the channels.
func (l *lowering) size(i int) int { return l.o.Batch * l.g.Shape(i).Size() }

// activation is the span of node i's output, or of its gradient.
func (l *lowering) activation(i int) Span { return Span{Len: l.size(i), Storage: l.storage} }

func (l *lowering) rows(i int) int { return l.size(i) / l.g.Shape(i).C }

// param is the buffer of one of node i's parameters, None if it has no such.
func (l *lowering) param(i int, suffix string) Buffer { return l.params[l.g.Node(i).Name+suffix] }
