package engine

import (
	"errors"
	"fmt"
	"slices"

	"mdp/engine/graph"
)

// Program is a compiled graph with its memory on a device. One goroutine uses
// it at a time.
type Program struct {
	graph    *graph.Graph
	options  Options
	plan     *Plan
	exec     Executor
	nodes    [][]int
	units    []unit
	backward int // calls before it are the forward pass
	update   int // calls from it on are the optimiser

	image, logits, labels, metrics, hyper Buffer
	scale                                 Buffer         // of the loss, None where it is not scaled
	bytes                                 LoadImages     // with Options.Bytes
	lists                                 map[int]Buffer // with Options.MaskChunk, by node
	params, grads, momenta, score         map[string]Buffer

	unseen   int                     // runs begun since their metrics were asked for
	read     [3*Recorded + 1]float32 // these keep a step free of allocation
	came     [Recorded]Metrics
	sgd      [3]float32
	labelRow []float32
}

// Hyper are the optimiser's numbers of one step.
type Hyper struct{ LearningRate, Momentum, WeightDecay float32 }

// Metrics of one batch: the sum of its samples' losses and how many of them
// were right, first guess and five guesses.
type Metrics struct {
	Loss       float64
	Top1, Top5 int
}

// Graph the program was compiled from.
func (p *Program) Graph() *graph.Graph { return p.graph }

// Options the program was compiled with.
func (p *Program) Options() Options { return p.options }

// Plan is the program as the backend sees it, to be read only.
func (p *Program) Plan() *Plan { return p.plan }

// Nodes are the graph nodes that call i computes, its head first; to be read only.
func (p *Program) Nodes(i int) []int { return p.nodes[i] }

// PeakBytes is the plan's memory: weights, activations, gradients, scratch.
func (p *Program) PeakBytes() int64 { return 4 * int64(p.plan.Words()) }

// Close frees the device's memory.
func (p *Program) Close() error { return p.exec.Close() }

// SetWeights copies w to the device; an inference program folds batch norm on
// the way. Momentum stays as it is.
func (p *Program) SetWeights(w graph.Weights) error {
	if err := w.Check(p.graph); err != nil {
		return err
	}
	if p.options.Mode == Infer {
		w = p.fold(w)
	}
	for name, b := range p.params {
		if err := p.exec.Write(b, w.Data(name)); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// fold returns the parameters as inference uses them, batch norms folded.
func (p *Program) fold(w graph.Weights) graph.Weights {
	folded := graph.Weights{}
	for name := range p.params {
		folded[name] = w[name]
	}
	for _, u := range p.units {
		if u.norm < 0 {
			continue
		}
		head := p.graph.Node(u.head).Name
		filter := p.graph.NodeParams(u.head)[0]
		bias := graph.Param{Name: head + ".bias", Node: u.head, Role: graph.RoleBias, Shape: filter.Shape[:1]}
		for _, q := range []graph.Param{filter, bias} {
			folded[q.Name] = graph.NewTensor(q.Shape...)
			graph.FoldInto(folded.Data(q.Name), w, q, p.graph.Node(u.norm))
		}
	}
	return folded
}

// Weights reads a training program's parameters back.
func (p *Program) Weights() (graph.Weights, error) { return p.readAll(p.params) }

// Gradients of the last step, by parameter name; of a step that was skipped, of the
// loss as it was scaled.
func (p *Program) Gradients() (graph.Weights, error) {
	w, err := p.readAll(p.grads)
	if err != nil || p.scale == None {
		return w, err
	}
	var state [scaleLen]float32
	if err := p.exec.Read(state[:], p.scale); err != nil {
		return nil, err
	}
	if unscale := state[2]; unscale != 0 {
		for name := range w {
			for i := range w.Data(name) {
				w.Data(name)[i] *= unscale
			}
		}
	}
	return w, nil
}

// Momenta of the optimiser, by parameter name.
func (p *Program) Momenta() (graph.Weights, error) { return p.readAll(p.momenta) }

func (p *Program) readAll(buffers map[string]Buffer) (graph.Weights, error) {
	if p.options.Mode != Train {
		return nil, fmt.Errorf("an inference program has folded weights and no gradients; keep the weights it was given")
	}
	w := graph.Weights{}
	for _, q := range p.graph.Params() {
		b, ok := buffers[q.Name]
		if !ok {
			continue
		}
		t := graph.NewTensor(q.Shape...)
		if err := p.exec.Read(t.Data().([]float32), b); err != nil {
			return nil, fmt.Errorf("read %s: %w", q.Name, err)
		}
		w[q.Name] = t
	}
	return w, nil
}

// SetMomenta restores what Momenta returned.
func (p *Program) SetMomenta(m graph.Weights) error {
	for name, b := range p.momenta {
		t, ok := m[name]
		if !ok || t.Shape().TotalSize() != p.plan.Span(b).Len {
			return fmt.Errorf("momentum of %s is missing or of another size", name)
		}
		if err := p.exec.Write(b, m.Data(name)); err != nil {
			return err
		}
	}
	return nil
}

// Batch is one batch of images and their labels.
type Batch struct {
	Images []float32 // N×H×W×C as the network takes them; or, with Options.Bytes:
	Pixels []byte    // N×H×W×C, of MakePixels
	Moves  []float32 // N×3: dy, dx and whether it is flipped; see LoadImages
	Labels []int32   // class indices, negative for rows that count for nothing
}

// SetMask says for nodes by name which channels of their output take part; a node that
// is not named keeps all. A chunk is on where one of its channels is: weights that are
// off within it must be zero. Training leaves at zero what is off by whole chunks.
func (p *Program) SetMask(on map[string][]bool) error {
	if p.options.MaskChunk == 0 {
		return fmt.Errorf("graph %q was compiled without masks", p.graph.Name())
	}
	for name, flags := range on {
		i, ok := p.graph.Index(name)
		if !ok {
			return fmt.Errorf("mask of %s: graph %q has no such node", name, p.graph.Name())
		}
		if n := p.graph.Shape(i).C; len(flags) != n {
			return fmt.Errorf("mask of %s: %d channels, it has %d", name, len(flags), n)
		}
	}
	for i, b := range p.lists {
		flags, masked := on[p.graph.Node(i).Name]
		chunks := make([]bool, p.plan.Span(b).Len-1)
		for k := range chunks {
			first := k * p.options.MaskChunk
			chunks[k] = !masked || slices.Contains(flags[first:min(len(flags), first+p.options.MaskChunk)], true)
		}
		if err := p.exec.Write(b, ChunkList(chunks)); err != nil {
			return err
		}
	}
	return nil
}

// Step runs one training step on a full batch.
func (p *Program) Step(images []float32, labels []int32, h Hyper) (Metrics, error) {
	return p.last(p.Start(Batch{Images: images, Labels: labels}, h))
}

// Start begins a training step and may return before it is done; the batch is free
// again. What came of it is told by Metrics.
func (p *Program) Start(b Batch, h Hyper) error {
	p.sgd = [3]float32{h.LearningRate, h.Momentum, h.WeightDecay}
	if err := p.exec.Write(p.hyper, p.sgd[:]); err != nil {
		return err
	}
	return p.start(b, len(p.plan.Calls))
}

// Gradient runs forward and backward and gathers scores, but updates no weight.
// The running statistics of batch norm do move.
func (p *Program) Gradient(images []float32, labels []int32) (Metrics, error) {
	return p.last(p.start(Batch{Images: images, Labels: labels}, p.update))
}

// Evaluate runs the forward pass and the loss of an inference program whose
// graph ends in one. Rows beyond the samples carry a negative label.
func (p *Program) Evaluate(images []float32, labels []int32) (Metrics, error) {
	return p.last(p.start(Batch{Images: images, Labels: labels}, p.backward))
}

func (p *Program) start(b Batch, to int) error {
	if p.metrics == None {
		return fmt.Errorf("graph %q ends in logits: it has no loss to evaluate", p.graph.Name())
	}
	size, bytes := p.options.Batch*p.graph.Shape(0).Size(), p.options.Bytes != nil
	if len(b.Labels) != p.options.Batch || !bytes && len(b.Images) != size || bytes && (len(b.Pixels) != size || len(b.Moves) != 3*p.options.Batch) {
		return fmt.Errorf("%d images' pixels and %d labels do not make a batch of %d", max(len(b.Images), len(b.Pixels)), len(b.Labels), p.options.Batch)
	}
	for i, l := range b.Labels {
		p.labelRow[i] = float32(l)
	}
	err := p.exec.Write(p.labels, p.labelRow)
	if err == nil && bytes {
		err = errors.Join(p.exec.Write(p.bytes.Pixels, asFloats(b.Pixels)), p.exec.Write(p.bytes.Moves, b.Moves))
	} else if err == nil {
		err = p.exec.Write(p.image, b.Images)
	}
	if err != nil {
		return err
	}
	if err = p.exec.Start(0, to); err == nil {
		p.unseen++
	}
	return err
}

// Metrics waits for what was begun and returns what came of each run since they
// were last asked for, oldest first; of the last Recorded runs if they are more.
// They hold until the next call.
func (p *Program) Metrics() ([]Metrics, error) {
	if err := p.exec.Read(p.read[:], p.metrics); err != nil {
		return nil, err
	}
	next, n := int(p.read[3*Recorded]), min(p.unseen, Recorded)
	for i := range n {
		m := p.read[3*((next-n+i+Recorded)%Recorded):]
		p.came[i] = Metrics{Loss: float64(m[0]), Top1: int(m[1]), Top5: int(m[2])}
	}
	p.unseen = 0
	return p.came[:n], nil
}

// last is the metrics of the run that was just begun.
func (p *Program) last(err error) (Metrics, error) {
	if err != nil {
		return Metrics{}, err
	}
	all, err := p.Metrics()
	if err != nil {
		return Metrics{}, err
	}
	return all[len(all)-1], nil
}

// Infer computes logits, batch × classes, from images, batch × H × W × C.
func (p *Program) Infer(logits, images []float32) error {
	if err := p.exec.Write(p.image, images); err != nil {
		return err
	}
	if err := p.exec.Run(0, p.backward); err != nil {
		return err
	}
	return p.exec.Read(logits, p.logits)
}

// Forward runs the forward pass on whatever image lies on the device: what a
// benchmark times.
func (p *Program) Forward() error { return p.exec.Run(0, p.backward) }

// Time runs every call and stores how long each took.
func (p *Program) Time(latencyNS []int64) error { return p.exec.Time(latencyNS) }

// Scores are the Taylor importances summed over the batches since the program
// was compiled, by member name.
func (p *Program) Scores() (map[string][]float32, error) {
	scores := map[string][]float32{}
	for name, b := range p.score {
		s := make([]float32, p.plan.Span(b).Len)
		if err := p.exec.Read(s, b); err != nil {
			return nil, err
		}
		scores[name] = s
	}
	return scores, nil
}
