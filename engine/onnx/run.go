package onnx

import (
	"fmt"
	"slices"

	"mdp/engine"
	"mdp/engine/graph"
)

// Run computes the model's output for data, the model's input of the given
// dimensions, on b and in batches of at most so many samples. It returns the
// output and its dimensions.
func (n *Network) Run(b engine.Backend, dims []int, data []float32, batch int) ([]float32, []int, error) {
	in, out := n.Graph.Shape(0), n.Graph.Shape(n.Graph.Len()-1)
	samples := 1
	for i, a := range n.Input.Axes {
		if a == 'B' && i < len(dims) {
			samples = dims[i]
		}
	}
	if want := n.Input.Dims(samples, in); !slices.Equal(dims, want) || samples < 1 {
		return nil, nil, fmt.Errorf("the input %q is of shape %v, the model takes %v", n.Input.Name, dims, n.Input.Dims(max(1, samples), in))
	}
	images, results := make([]float32, len(data)), make([]float32, samples*out.Size())
	n.Input.ToImages(images, data, samples, in)
	if n.Graph.Len() == 1 { // a model that only reshapes
		copy(results, images)
	} else if err := n.infer(b, images, results, min(batch, samples)); err != nil {
		return nil, nil, err
	}
	output := make([]float32, len(results))
	n.Output.FromImages(output, results, samples, out)
	return output, n.Output.Dims(samples, out), nil
}

// infer runs the network on images, batch by batch; the last is filled up with zeros.
func (n *Network) infer(b engine.Backend, images, results []float32, batch int) error {
	p, err := engine.Compile(n.Graph, b, engine.Options{Mode: engine.Infer, Batch: batch})
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.SetWeights(n.Weights); err != nil {
		return err
	}
	in, out := batch*n.Graph.Shape(0).Size(), batch*n.Graph.Shape(n.Graph.Len()-1).Size()
	for len(images) >= in {
		if err := p.Infer(results[:out], images[:in]); err != nil {
			return err
		}
		images, results = images[in:], results[out:]
	}
	if len(images) == 0 {
		return nil
	}
	last, rest := make([]float32, out), make([]float32, in)
	copy(rest, images)
	err = p.Infer(last, rest)
	copy(results, last)
	return err
}

// Find converts the model for the values of its inputs that are given: one of them
// is the image, whose name it returns too, and the others are constants.
func Find(m *Model, name, dir, output string, given map[string]*Tensor) (*Network, string, error) {
	var first error
	for _, v := range m.Graph.Inputs {
		image, ok := given[v.Name]
		if !ok {
			continue
		}
		o := Options{Output: output, Constants: map[string]*Tensor{}}
		for other, t := range given {
			if other != v.Name {
				o.Constants[other] = t
			}
		}
		if len(image.Dims) == 4 { // as images lie, unless the model says otherwise
			o.Input = graph.Shape{C: int(image.Dims[1]), H: int(image.Dims[2]), W: int(image.Dims[3])}
		}
		n, err := Convert(m, name, dir, o)
		if err == nil {
			return n, v.Name, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return nil, "", fmt.Errorf("none of the model's inputs is given; they are %s", names(m.Graph.Inputs))
	}
	return nil, "", first
}

// NewTensor makes a tensor of float32 or, of whole numbers, of int64.
func NewTensor(dims []int, data []float32, whole bool) *Tensor {
	var wide []int64
	for _, d := range dims {
		wide = append(wide, int64(d))
	}
	if !whole {
		return singles(wide, data).Tensor
	}
	ints := make([]int64, len(data))
	for i, v := range data {
		ints[i] = int64(v)
	}
	return wholes(wide, ints).Tensor
}
