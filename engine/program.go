package engine

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

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
	params, grads, momenta, score         map[string]Buffer

	read     [3]float32 // these keep a step free of allocation
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
func (p *Program) PeakBytes() int64 { return 4 * int64(p.plan.Len) }

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

// fold returns the parameters as inference uses them: where a unit's batch norm
// was folded, w'[k,…] = w[k,…]·s[k] and b'[k] = β[k] + (b[k] − μ[k])·s[k] with
// s = γ/√(σ²+ε).
func (p *Program) fold(w graph.Weights) graph.Weights {
	folded := graph.Weights{}
	for name := range p.params {
		folded[name] = w[name]
	}
	for _, u := range p.units {
		if u.norm < 0 {
			continue
		}
		conv, bn := p.graph.Node(u.head).Name, p.graph.Node(u.norm).Name
		gamma, beta := w.Data(bn+".weight"), w.Data(bn+".bias")
		mean, variance := w.Data(bn+".running_mean"), w.Data(bn+".running_var")
		filter := w[conv+".weight"].Clone().(*tensor.Dense)
		bias := graph.NewTensor(len(gamma))
		f, b := filter.Data().([]float32), bias.Data().([]float32)
		if w[conv+".bias"] != nil {
			copy(b, w.Data(conv+".bias"))
		}
		n := len(f) / len(gamma)
		for k := range gamma {
			s := float64(gamma[k]) / math.Sqrt(float64(variance[k])+p.graph.Node(u.norm).BatchNorm.Eps)
			for i := range n {
				f[k*n+i] = float32(float64(f[k*n+i]) * s)
			}
			b[k] = float32(float64(beta[k]) + (float64(b[k])-float64(mean[k]))*s)
		}
		folded[conv+".weight"], folded[conv+".bias"] = filter, bias
	}
	return folded
}

// Weights reads a training program's parameters back.
func (p *Program) Weights() (graph.Weights, error) { return p.readAll(p.params) }

// Gradients of the last step, by parameter name.
func (p *Program) Gradients() (graph.Weights, error) { return p.readAll(p.grads) }

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

// Step runs one training step on a full batch: images NHWC, labels as class
// indices, negative for rows that count for nothing.
func (p *Program) Step(images []float32, labels []int32, h Hyper) (Metrics, error) {
	p.sgd = [3]float32{h.LearningRate, h.Momentum, h.WeightDecay}
	if err := p.exec.Write(p.hyper, p.sgd[:]); err != nil {
		return Metrics{}, err
	}
	return p.run(images, labels, len(p.plan.Calls))
}

// Gradient runs forward and backward and gathers scores, but updates no weight.
// The running statistics of batch norm do move.
func (p *Program) Gradient(images []float32, labels []int32) (Metrics, error) {
	return p.run(images, labels, p.update)
}

// Evaluate runs the forward pass and the loss of an inference program whose
// graph ends in one. Rows beyond the samples carry a negative label.
func (p *Program) Evaluate(images []float32, labels []int32) (Metrics, error) {
	return p.run(images, labels, p.backward)
}

func (p *Program) run(images []float32, labels []int32, to int) (Metrics, error) {
	if p.metrics == None {
		return Metrics{}, fmt.Errorf("graph %q ends in logits: it has no loss to evaluate", p.graph.Name())
	}
	if len(labels) != p.options.Batch || len(images) != p.plan.Span(p.image).Len {
		return Metrics{}, fmt.Errorf("%d images' pixels and %d labels do not make a batch of %d", len(images), len(labels), p.options.Batch)
	}
	if err := p.exec.Write(p.image, images); err != nil {
		return Metrics{}, err
	}
	for i, l := range labels {
		p.labelRow[i] = float32(l)
	}
	if err := p.exec.Write(p.labels, p.labelRow); err != nil {
		return Metrics{}, err
	}
	if err := p.exec.Run(0, to); err != nil {
		return Metrics{}, err
	}
	if err := p.exec.Read(p.read[:], p.metrics); err != nil {
		return Metrics{}, err
	}
	return Metrics{Loss: float64(p.read[0]), Top1: int(p.read[1]), Top5: int(p.read[2])}, nil
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
