package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"mdp/engine/graph"
)

// MinOpset and MaxOpset are the versions of ONNX's operators that Convert knows.
const (
	MinOpset = 6
	MaxOpset = 23
)

// Options of Import and Convert; each may be left out.
type Options struct {
	// Input is the image's size, where the model leaves it open.
	Input graph.Shape

	// Output is which of the model's outputs, or of the values inside, the network
	// ends in; the default is the model's first output.
	Output string

	// Constants are values for inputs, of which a network has but one that varies.
	Constants map[string]*Tensor

	room int // bytes for weights and what is computed from constants; 0 is maxWeights
}

// Network is a converted model. Input and Output say how its image and its
// result lie in the model's own tensors.
type Network struct {
	Graph         *graph.Graph
	Weights       graph.Weights
	Input, Output Port
}

// Read reads a model's file. It holds the file's bytes, of which the tensors are parts.
func Read(path string) (*Model, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Import reads a model's file, mapped, and converts it. Tensors outside the file
// must lie in its folder.
func Import(path string, o Options) (n *Network, err error) {
	err = mapped(path, func(b []byte, release func([]byte)) error {
		m, err := Decode(b)
		if err == nil {
			name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
			n, err = convert(m, name, filepath.Dir(path), o, release)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return err
	})
	return n, err
}

// Unsupported is every node of a model that cannot be converted, with the reason
// and what could be done.
type Unsupported []string

func (u Unsupported) Error() string {
	const most = 30
	lines := u
	if len(u) > most {
		lines = append(slices.Clone(u[:most]), fmt.Sprintf("and %d more", len(u)-most))
	}
	return fmt.Sprintf("%d of its nodes cannot be imported:\n  %s", len(u), strings.Join(lines, "\n  "))
}

// Convert makes a network called name of the model, whose external tensors lie in dir.
func Convert(m *Model, name, dir string, o Options) (*Network, error) {
	return convert(m, name, dir, o, func([]byte) {})
}

// convert calls release with the bytes of each filter that it has taken over.
func convert(m *Model, name, dir string, o Options, release func([]byte)) (*Network, error) {
	opset := m.Opset()
	if opset < MinOpset || opset > MaxOpset {
		return nil, fmt.Errorf("its operators are those of ONNX opset %d, and opsets %d to %d are known: export it again with one of those, or use onnx.version_converter", opset, MinOpset, MaxOpset)
	}
	c := &converter{
		graph: &m.Graph, opset: opset, dir: dir,
		values: map[string]value{}, weights: graph.Weights{}, shapes: map[string]graph.Shape{}, taken: map[string]bool{"loss": true},
		left: cmp.Or(o.room, maxWeights), release: release,
	}
	output, err := c.target(o.Output)
	if err != nil {
		return nil, err
	}
	needed, err := c.need(output)
	if err != nil {
		return nil, err
	}
	if err := c.constants(o.Constants); err != nil {
		return nil, err
	}
	input, err := c.input(needed, o)
	if err != nil {
		return nil, err
	}
	var unsupported Unsupported
	for i := range m.Graph.Nodes {
		if !needed[i] {
			continue
		}
		if err := c.convert(&m.Graph.Nodes[i]); err != nil {
			unsupported = append(unsupported, fmt.Sprintf("%s: %v", describe(&m.Graph.Nodes[i], i), err))
		}
	}
	if len(unsupported) > 0 {
		return nil, unsupported
	}
	v, ok := c.values[output]
	switch {
	case !ok:
		return nil, fmt.Errorf("nothing makes its output %.80q", output)
	case v.constant != nil:
		return nil, fmt.Errorf("its output %.80q is a constant: it does not depend on the input %.80q", output, input.Name)
	case v.pad != [4]int{}:
		return nil, fmt.Errorf("its output %.80q is a padded image, and padding is done only by a convolution or a pooling after it", output)
	}
	nodes := simplify(c.nodes, c.weights, v.node)
	g, err := graph.New(name, nodes)
	if err != nil {
		return nil, err
	}
	if err := c.weights.Check(g); err != nil {
		return nil, err
	}
	return &Network{g, c.weights, input, Port{output, v.axes, v.order, c.batch}}, nil
}

// describe names a node for people.
func describe(n *Node, i int) string {
	switch {
	case n.Name != "":
		return fmt.Sprintf("node %.120q (%.40s)", n.Name, n.OpType)
	case len(n.Outputs) > 0:
		return fmt.Sprintf("the node of %.120q (%.40s)", n.Outputs[0], n.OpType)
	}
	return fmt.Sprintf("node %d (%.40s)", i, n.OpType)
}

// converter goes through a model's nodes, each of which becomes a value.
type converter struct {
	graph   *Graph
	opset   int64
	dir     string
	batch   int64 // the model's own, or anyBatch
	values  map[string]value
	nodes   []graph.Node
	shapes  map[string]graph.Shape // of nodes
	weights graph.Weights
	taken   map[string]bool // names of nodes
	left    int             // bytes that weights may still take
	release func([]byte)
}

// maxWeights bounds what a small file may claim in weights that it does not hold:
// the same ones used many times, or one number of any shape.
const maxWeights = 2 << 30

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
	}
	for name, t := range given {
		if !slices.ContainsFunc(c.graph.Inputs, func(v Value) bool { return v.Name == name }) {
			return fmt.Errorf("no input of the model is called %.80q; there are %s", name, names(c.graph.Inputs))
		}
		c.values[name] = value{constant: &constant{Tensor: t}}
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
	shape, err := graph.Infer(n, shapes)
	if err != nil {
		return value{}, err
	}
	c.nodes = append(c.nodes, n)
	c.shapes[n.Name] = shape
	v := value{node: n.Name, shape: shape}
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
