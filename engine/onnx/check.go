package onnx

import (
	"fmt"
	"slices"
)

// exported are the operators that Export writes, with the number of their inputs
// and their attributes in opset 17.
var exported = map[string]struct {
	least, most int
	attributes  []string
}{
	"Conv":               {2, 3, []string{"kernel_shape", "strides", "pads", "dilations", "group"}},
	"Gemm":               {2, 3, []string{"transB"}},
	"BatchNormalization": {5, 5, []string{"epsilon", "momentum"}},
	"Relu":               {1, 1, nil},
	"Sigmoid":            {1, 1, nil},
	"HardSigmoid":        {1, 1, []string{"alpha", "beta"}},
	"HardSwish":          {1, 1, nil},
	"Clip":               {3, 3, nil},
	"Add":                {2, 2, nil},
	"Mul":                {2, 2, nil},
	"Concat":             {1, 1 << 30, []string{"axis"}},
	"Softmax":            {1, 1, []string{"axis"}},
	"MaxPool":            {1, 1, []string{"kernel_shape", "strides", "pads"}},
	"AveragePool":        {1, 1, []string{"kernel_shape", "strides", "pads", "count_include_pad"}},
	"GlobalAveragePool":  {1, 1, nil},
	"Flatten":            {1, 1, nil},
	"Unsqueeze":          {2, 2, nil},
	"Cast":               {1, 1, []string{"to"}},
}

// Check reports the first thing that makes a model unfit to be handed out: a value
// made twice or read before it is made, an initialiser whose bytes do not fill its
// shape or which nothing reads, an operator or attribute that opset 17 has not.
func Check(m *Model) error {
	known := map[string]bool{}
	define := func(name string) error {
		if name == "" || known[name] {
			return fmt.Errorf("ONNX model: %q is defined twice or has no name", name)
		}
		known[name] = true
		return nil
	}
	for _, v := range m.Graph.Inputs {
		if err := define(v.Name); err != nil {
			return err
		}
	}
	read := map[string]bool{}
	for i := range m.Graph.Initializers {
		t := &m.Graph.Initializers[i]
		if err := define(t.Name); err != nil {
			return err
		}
		if n, err := t.Len(); err != nil || t.write == nil && n*t.Type.width() != int64(len(t.Raw)) || n == 0 {
			return fmt.Errorf("ONNX model: initialiser %q of shape %v has %d bytes", t.Name, t.Dims, len(t.Raw))
		}
	}
	for _, n := range m.Graph.Nodes {
		op, ok := exported[n.OpType]
		if !ok || len(n.Inputs) < op.least || len(n.Inputs) > op.most || len(n.Outputs) != 1 {
			return fmt.Errorf("ONNX model: node %q: %s with %d inputs and %d outputs is not in opset %d", n.Name, n.OpType, len(n.Inputs), len(n.Outputs), exportOpset)
		}
		for _, a := range n.Attributes {
			if !slices.Contains(op.attributes, a.Name) {
				return fmt.Errorf("ONNX model: node %q: %s has no attribute %s", n.Name, n.OpType, a.Name)
			}
		}
		for _, in := range n.Inputs {
			if !known[in] {
				return fmt.Errorf("ONNX model: node %q reads %q, which no node before it makes", n.Name, in)
			}
			read[in] = true
		}
		if err := define(n.Outputs[0]); err != nil {
			return err
		}
	}
	for _, t := range m.Graph.Initializers {
		if !read[t.Name] {
			return fmt.Errorf("ONNX model: nothing reads initialiser %q", t.Name)
		}
	}
	for _, v := range m.Graph.Outputs {
		if !known[v.Name] {
			return fmt.Errorf("ONNX model: nothing makes output %q", v.Name)
		}
	}
	return nil
}
