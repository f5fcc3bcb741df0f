package onnx

import (
	"fmt"
	"slices"

	"mdp/engine/graph"
)

// plain are the operations that ONNX spells as one node of the same inputs.
var plain = map[graph.Op]string{
	graph.OpReLU: "Relu", graph.OpSigmoid: "Sigmoid", graph.OpHardSwish: "HardSwish",
	graph.OpAdd: "Add", graph.OpMul: "Mul",
	graph.OpGlobalAvgPool: "GlobalAveragePool",
}

// node adds what node i is in ONNX.
func (e *exporter) node(i int) error {
	n := e.g.Node(i)
	if n.Op == graph.OpInput {
		return nil
	}
	params := e.params(i)
	in := e.inputs(i)
	all := append(in, params...)
	switch n.Op {
	case graph.OpConv2D:
		c := n.Conv2D
		e.add("Conv", n.Name, all, intsOf("kernel_shape", c.Kernel[:]...), intsOf("strides", c.Stride[:]...),
			intsOf("pads", c.Pad[:]...), intsOf("dilations", c.Dilation[:]...), intOf("group", int64(c.Groups)))
	case graph.OpLinear:
		e.add("Gemm", n.Name, all, intOf("transB", 1))
	case graph.OpBatchNorm:
		e.add("BatchNormalization", n.Name, all, floatOf("epsilon", n.BatchNorm.Eps), floatOf("momentum", 1-n.BatchNorm.Momentum))
	case graph.OpHardSigmoid:
		e.add("HardSigmoid", n.Name, in, floatOf("alpha", n.HardSigmoid.Alpha), floatOf("beta", n.HardSigmoid.Beta))
	case graph.OpReLU6:
		e.clip(n.Name, in, 0, 6)
	case graph.OpClip:
		e.clip(n.Name, in, float32(n.Clip.Low), float32(n.Clip.High))
	case graph.OpSiLU:
		e.add("Mul", n.Name, []string{in[0], e.add("Sigmoid", n.Name+"/sigmoid", in)})
	case graph.OpScale:
		e.scale(i, in[0])
	case graph.OpConcat:
		e.add("Concat", n.Name, in, intOf("axis", 1))
	case graph.OpSoftmax:
		e.add("Softmax", n.Name, in, intOf("axis", 1))
	case graph.OpMaxPool:
		e.add("MaxPool", n.Name, in, window(n.Pool)...)
	case graph.OpAvgPool:
		count := int64(0)
		if n.Pool.CountPad {
			count = 1
		}
		e.add("AveragePool", n.Name, in, append(window(n.Pool), intOf("count_include_pad", count))...)
	case graph.OpFlatten:
		e.add("Flatten", n.Name, in)
	default:
		op, ok := plain[n.Op]
		if !ok {
			return fmt.Errorf("has no form in ONNX")
		}
		e.add(op, n.Name, in)
	}
	return nil
}

// inputs are the values that node i reads, in the rank that it needs, which is
// the image's unless all of them are vectors and that will do; and it notes i's
// own rank.
func (e *exporter) inputs(i int) []string {
	vectors := false
	switch e.g.Node(i).Op {
	case graph.OpLinear:
		vectors = true
	case graph.OpConv2D, graph.OpMaxPool, graph.OpAvgPool, graph.OpGlobalAvgPool, graph.OpFlatten:
	default:
		vectors = !slices.ContainsFunc(e.g.Inputs(i), func(k int) bool { return !e.flat[k] })
	}
	e.flat[i] = vectors || e.g.Node(i).Op == graph.OpFlatten
	var names []string
	for _, k := range e.g.Inputs(i) {
		if vectors {
			names = append(names, e.vector(k))
		} else {
			names = append(names, e.image(k))
		}
	}
	return names
}

func (e *exporter) clip(name string, in []string, low, high float32) {
	e.initialiser(name+".min", nil, func() []float32 { return []float32{low} })
	e.initialiser(name+".max", nil, func() []float32 { return []float32{high} })
	e.add("Clip", name, append(in, name+".min", name+".max"))
}

// scale is γ·x + β with γ and β as parameters has them already, in the shape that
// ONNX broadcasts.
func (e *exporter) scale(i int, in string) {
	name := e.g.Node(i).Name
	added := e.model.Graph.Initializers
	for j := len(added) - 2; j < len(added); j++ {
		added[j].Dims = append([]int64{1}, added[j].Dims...)
		if !e.flat[i] {
			added[j].Dims = append(added[j].Dims, 1, 1)
		}
	}
	scaled := e.add("Mul", name+"/scaled", []string{in, name + ".weight"})
	e.add("Add", name, []string{scaled, name + ".bias"})
}

func window(p *graph.Pool) []Attribute {
	return []Attribute{intsOf("kernel_shape", p.Kernel[:]...), intsOf("strides", p.Stride[:]...), intsOf("pads", p.Pad[:]...)}
}
