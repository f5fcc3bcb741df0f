package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gorgonia.org/tensor"

	"mdp/engine/graph"
)

// describe names a node for people.
func describe(n *Node, i int) string {
	switch {
	case n.Name != "":
		return fmt.Sprintf("node %.120q (%.40s)", n.Name, printable(n.OpType))
	case len(n.Outputs) > 0:
		return fmt.Sprintf("the node of %.120q (%.40s)", n.Outputs[0], printable(n.OpType))
	}
	return fmt.Sprintf("node %d (%.40s)", i, printable(n.OpType))
}

// printable is a text with names that may be anything, as a terminal can have it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// converter goes through a model's nodes, each of which becomes a value.
type converter struct {
	graph   *Graph
	opset   int64
	folder  *folder
	batch   int64           // the model's own, or anyBatch
	read    map[string]bool // values that nodes read
	values  map[string]value
	nodes   []graph.Node
	shapes  map[string]graph.Shape // of nodes
	weights graph.Weights
	taken   map[string]bool // names of nodes
	left    int             // bytes that weights may still take
	folds   int             // bytes that what is computed from constants may still take
	behind  int             // nodes that follow from unsupported ones
	release func([]byte)
}

// maxNodes bounds the network: reading patterns in it takes time with the square of
// its length. The longest that people publish have some thousands.
const maxNodes = 1 << 13

// maxWeights bounds what a small file may claim in weights that it does not hold:
// the same ones used many times, or one number of any shape.
const maxWeights = 2 << 30

// hold counts bytes that the model has in its files: what is computed from them may
// be some times as large.
func (c *converter) hold(bytes int) { c.folds += 8 * bytes }

// target is the name of the value to end in.
func (c *converter) target(name string) (string, error) {
	if name == "" {
		if len(c.graph.Outputs) == 0 {
			return "", errors.New("the model has no output")
		}
		return c.graph.Outputs[0].Name, nil
	}
	for _, v := range c.graph.Outputs {
		if v.Name == name {
			return name, nil
		}
	}
	for _, n := range c.graph.Nodes {
		if slices.Contains(n.Outputs, name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("no value of the model is called %.80q; its outputs are %s", name, names(c.graph.Outputs))
}

func names(values []Value) string {
	var all []string
	for i, v := range values {
		if i == 10 {
			all = append(all, "…")
			break
		}
		all = append(all, fmt.Sprintf("%.80q", v.Name))
	}
	return strings.Join(all, ", ")
}

// need marks the nodes that the output depends on, and checks that each stands
// behind those it reads and that every value is made once.
func (c *converter) need(output string) ([]bool, error) {
	made := map[string]int{}
	for i, n := range c.graph.Nodes {
		for _, in := range n.Inputs {
			c.read[in] = true
		}
		for _, o := range n.Outputs {
			if o == "" {
				continue
			}
			if _, twice := made[o]; twice {
				return nil, fmt.Errorf("two nodes make the value %.80q", o)
			}
			made[o] = i
		}
	}
	needed := make([]bool, len(c.graph.Nodes))
	if i, ok := made[output]; ok {
		needed[i] = true
	}
	for i := len(needed) - 1; i >= 0; i-- {
		if !needed[i] {
			continue
		}
		for _, in := range c.graph.Nodes[i].Inputs {
			j, ok := made[in]
			if !ok {
				continue
			}
			if j >= i {
				return nil, fmt.Errorf("%s reads %.80q, which only a later node makes: the nodes are in a cycle or out of order", describe(&c.graph.Nodes[i], i), in)
			}
			needed[j] = true
		}
	}
	return needed, nil
}

// constants enters the initialisers and the given values of inputs.
func (c *converter) constants(given map[string]*Tensor) error {
	if c.graph.Sparse > 0 {
		return errors.New("it has sparse initialisers, which are not read: export it with dense ones")
	}
	for i := range c.graph.Initializers {
		t := &c.graph.Initializers[i]
		if _, twice := c.values[t.Name]; twice {
			return fmt.Errorf("two initialisers are called %.80q", t.Name)
		}
		c.values[t.Name] = value{constant: &constant{Tensor: t}}
		c.hold(len(t.Raw))
	}
	for _, n := range c.graph.Nodes {
		for _, a := range n.Attributes {
			if a.Tensor != nil {
				c.hold(len(a.Tensor.Raw))
			}
		}
	}
	for name, t := range given {
		if !slices.ContainsFunc(c.graph.Inputs, func(v Value) bool { return v.Name == name }) {
			return fmt.Errorf("no input of the model is called %.80q; there are %s", name, names(c.graph.Inputs))
		}
		c.values[name] = value{constant: &constant{Tensor: t}}
		c.hold(len(t.Raw))
	}
	return nil
}

// emit appends a node that reads in, whose name is unique and whose inputs are
// plain images, and returns its value, which lies like the first of them.
func (c *converter) emit(n graph.Node, in ...value) (value, error) {
	shapes := make([]graph.Shape, len(in))
	for i, v := range in {
		if v.constant != nil {
			return value{}, errors.New("an input is a constant, and must come from the image")
		}
		if v.pad != [4]int{} {
			return value{}, errors.New("it reads the output of a Pad, which only a convolution or a pooling can: put the padding there")
		}
		n.Inputs = append(n.Inputs, v.node)
		shapes[i] = c.shapes[v.node]
	}
	if len(c.nodes) == maxNodes {
		return value{}, fmt.Errorf("the network has more than %d layers", maxNodes)
	}
	shape, err := graph.Infer(n, shapes)
	if err != nil {
		return value{}, err
	}
	c.nodes = append(c.nodes, n)
	c.shapes[n.Name] = shape
	v := value{node: n.Name, shape: shape, positive: positive(n, in)}
	if len(in) > 0 {
		v.axes, v.order = in[0].axes, in[0].order
	}
	return v, nil
}

// weight enters a parameter of a node, after making sure that there is room.
func (c *converter) weight(name string, shape ...int) ([]float32, error) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	if c.left -= 4 * n; c.left < 0 {
		return nil, fmt.Errorf("the model's weights take more than %d GB", maxWeights>>30)
	}
	data := make([]float32, n)
	c.weights[name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	return data, nil
}

// name makes a node's: what stands before ".weight" in the name of its weights,
// so that parameters carry the names they had in PyTorch, or the ONNX node's own,
// or that of what it makes.
func (c *converter) name(n *Node, weights string) string {
	name, ok := strings.CutSuffix(weights, ".weight")
	if !ok || name == "" {
		name = n.Name
	}
	if name == "" && len(n.Outputs) > 0 {
		name = n.Outputs[0]
	}
	if name == "" {
		name = strings.ToLower(n.OpType)
	}
	unique := name
	for i := 2; c.taken[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
	}
	c.taken[unique] = true
	return unique
}
