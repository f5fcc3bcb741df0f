package onnx

import (
	"errors"
	"fmt"
	"strings"
)

// call is a node being converted, with the values of its inputs. Attributes are
// taken through its methods, which keep the first thing wrong and know in the
// end which attributes nobody asked for.
type call struct {
	*converter
	*Node
	in    []value
	asked map[string]bool
	err   error
}

// operators are what a node of each type becomes.
var operators = map[string]func(*call) (value, error){
	"Conv": conv, "Gemm": gemm, "MatMul": matMul, "BatchNormalization": batchNorm,
	"Relu": unary, "Sigmoid": unary, "HardSwish": unary, "HardSigmoid": hardSigmoid, "Swish": swish, "Clip": clip,
	"Add": add, "Sum": sum, "Sub": sub, "Mul": mul, "Div": div, "Neg": neg, "Concat": concat,
	"MaxPool": maxPool, "AveragePool": averagePool, "GlobalAveragePool": globalPool, "GlobalMaxPool": globalPool, "ReduceMean": reduceMean,
	"Pad": pad, "Flatten": reshaped, "Reshape": reshaped, "Squeeze": reshaped, "Unsqueeze": reshaped, "Transpose": transpose,
	"Identity": same, "Dropout": dropout, "Cast": cast, "Softmax": softmax, "Slice": slice,
}

const enlarges = "networks here classify images; end in a value before it (--output-name)"

// advice is what could be done about operators that people do meet.
var advice = map[string]string{
	"LeakyRelu": "train with Relu or HardSwish in its place", "PRelu": "train with Relu or HardSwish in its place",
	"Elu": "train with Relu or Swish in its place", "Tanh": "train with Sigmoid or HardSwish in its place", "Gelu": "train with Swish in its place",
	"Erf": "it is a part of Gelu: train with Swish in its place", "LogSoftmax": "end in the logits before it (--output-name)",
	"LayerNormalization": "only BatchNormalization can be folded away", "InstanceNormalization": "only BatchNormalization can be folded away",
	"LRN":      "train without it, or with BatchNormalization",
	"Softplus": "it is a part of Mish: train with Swish in its place", "Reshape": "where it begins a channel shuffle, train with a 1×1 convolution in its place",
	"ConvTranspose": enlarges, "Resize": enlarges, "Upsample": enlarges, "DepthToSpace": enlarges,
	"QuantizeLinear": "export the model before quantisation", "DequantizeLinear": "export the model before quantisation",
	"Split": "where channels part, give each part a convolution of its own", "Slice": "where channels part, give each part a convolution of its own",
	"If": "export with fixed shapes, so that the exporter resolves it", "Loop": "export with fixed shapes, so that the exporter resolves it",
}

// convert makes the node's value. One that follows from an unsupported node is
// left unknown and is counted, not reported.
func (c *converter) convert(n *Node) (err error) {
	if len(n.Outputs) == 0 || n.Outputs[0] == "" {
		return errors.New("its first output has no name")
	}
	for _, o := range n.Outputs {
		c.values[o] = value{}
	}
	out := value{}
	defer func() { c.values[n.Outputs[0]] = out }()
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return fmt.Errorf("the operators of %.80q are not known: export with ONNX's own, inlining functions", n.Domain)
	}
	operator, known := operators[n.OpType]
	fold, folds := folded[n.OpType]
	if !known && !folds {
		return errors.New("this operator is not supported" + advised(n.OpType))
	}
	for i, o := range n.Outputs[1:] {
		if o != "" && c.read[o] {
			return fmt.Errorf("its output %d, %.80q, is used, and only the first can be", i+1, o)
		}
	}
	k := &call{converter: c, Node: n, asked: map[string]bool{}}
	constants, unknown := true, false
	for _, name := range n.Inputs {
		v, ok := c.values[name]
		if !ok && name != "" {
			return fmt.Errorf("nothing makes its input %.80q", name)
		}
		if name == "" {
			v.constant = absent
		}
		k.in = append(k.in, v)
		constants = constants && v.constant != nil
		unknown = unknown || v.unknown()
	}
	switch {
	case unknown:
		c.behind++
		return nil
	case folds && (constants || n.OpType == "Shape"):
		t, err := fold(k)
		if err = errors.Join(k.err, err); err != nil {
			return err
		}
		if c.folds -= len(t.Raw); c.folds < 0 {
			return errors.New("computing the model's constants takes many times the memory that they take in the file")
		}
		out = value{constant: t}
	case constants:
		return errors.New("it computes a constant: let the exporter fold constants, or onnx-simplifier")
	case known:
		out, err = operator(k)
	default:
		return errors.New("of an image, this operator is not supported" + advised(n.OpType))
	}
	if err = errors.Join(k.err, err); err != nil {
		out = value{}
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	for _, a := range n.Attributes {
		if !k.asked[a.Name] {
			out = value{}
			return fmt.Errorf("its attribute %.80q is not known", a.Name)
		}
	}
	return nil
}

func advised(op string) string {
	if a := advice[op]; a != "" {
		return ": " + a
	}
	return ": replace it, or end in a value before it (--output-name)"
}

func (k *call) fail(format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf(format, args...)
	}
}

// attribute marks it as asked for, and checks its type.
func (k *call) attribute(name string, kind AttributeType) *Attribute {
	k.asked[name] = true
	a := k.Attribute(name)
	if a != nil && a.Type != kind && a.Type != 0 {
		k.fail("its attribute %q has type %d, must be %d", name, a.Type, kind)
		return nil
	}
	return a
}

func (k *call) int(name string, otherwise int64) int64 {
	if a := k.attribute(name, AttributeInt); a != nil {
		return a.Int
	}
	return otherwise
}

func (k *call) float(name string, otherwise float32) float32 {
	if a := k.attribute(name, AttributeFloat); a != nil {
		return a.Float
	}
	return otherwise
}

func (k *call) text(name, otherwise string) string {
	if a := k.attribute(name, AttributeString); a != nil {
		return a.String
	}
	return otherwise
}

// ints is a number or two for each dimension.
func (k *call) ints(name string) []int64 {
	a := k.attribute(name, AttributeInts)
	if a == nil {
		return nil
	}
	if len(a.Ints) > 2*maxRank {
		k.fail("its %s are %d numbers", name, len(a.Ints))
		return nil
	}
	return a.Ints
}

// input i, or an absent constant where the node has none.
func (k *call) input(i int) value {
	if i < len(k.in) {
		return k.in[i]
	}
	return value{constant: absent}
}

func (k *call) has(i int) bool { return k.input(i).constant != absent }

// image is input i, which must come from the image.
func (k *call) image(i int) (value, error) {
	v := k.input(i)
	if v.constant != nil {
		return value{}, fmt.Errorf("its input %d is missing or a constant, and must come from the image", i)
	}
	return v, nil
}

// number is input i, a constant.
func (k *call) number(i int) (*constant, error) {
	v := k.input(i)
	switch {
	case v.constant == absent:
		return nil, fmt.Errorf("its input %d is missing", i)
	case v.constant == nil:
		return nil, fmt.Errorf("its input %d depends on the image, and must be a constant", i)
	}
	return v.constant, k.load(v.constant)
}

// list is input i, a constant of a whole number or two for each dimension, or the
// attribute of older opsets; nil where there is neither.
func (k *call) list(i int, attribute string) ([]int64, error) {
	if attribute != "" && k.Attribute(attribute) != nil {
		return k.ints(attribute), nil
	}
	if !k.has(i) {
		return nil, nil
	}
	t, err := k.number(i)
	if err != nil {
		return nil, err
	}
	if n, err := t.Len(); err != nil || n > 2*maxRank {
		return nil, fmt.Errorf("its input %d, %.80q, has %d numbers", i, t.Name, n)
	}
	return t.Ints()
}

// scalar is input i, a constant of one element, or otherwise.
func (k *call) scalar(i int, otherwise float32) (float32, error) {
	if !k.has(i) {
		return otherwise, nil
	}
	t, err := k.number(i)
	if err != nil {
		return 0, err
	}
	v, err := t.floats(1)
	if err != nil {
		return 0, err
	}
	return v[0], nil
}
