package onnx

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

	room int // bytes for weights; 0 is maxWeights
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
// and what could be done. What an unsupported node makes is not known, so that
// nodes behind it are looked at for their operators alone.
type Unsupported struct {
	Nodes  []string
	Behind int
}

// Count says how many there are.
func (u Unsupported) Count() string {
	text := fmt.Sprintf("%d of its nodes cannot be imported", len(u.Nodes))
	if u.Behind > 0 {
		text += fmt.Sprintf(", on which %d more depend", u.Behind)
	}
	return text
}

func (u Unsupported) Error() string {
	const most = 30
	lines := u.Nodes
	if len(lines) > most {
		lines = append(slices.Clone(lines[:most]), fmt.Sprintf("and %d more", len(lines)-most))
	}
	return fmt.Sprintf("%s:\n  %s", u.Count(), strings.Join(lines, "\n  "))
}

// Convert makes a network called name of the model, whose external tensors lie in dir.
func Convert(m *Model, name, dir string, o Options) (*Network, error) {
	return convert(m, name, dir, o, func([]byte) {})
}

// convert calls release with the bytes of each filter that it has taken over.
func convert(m *Model, name, dir string, o Options, release func([]byte)) (n *Network, err error) {
	outside := &folder{dir: dir, files: map[string][]byte{}}
	defer outside.close()
	err = unharmed("the model, or a file beside it,", func() error {
		n, err = network(m, name, outside, o, func(part []byte) {
			release(part)
			outside.release(part)
		})
		return err
	})
	return n, err
}

func network(m *Model, name string, outside *folder, o Options, release func([]byte)) (*Network, error) {
	opset := m.Opset()
	if opset < MinOpset || opset > MaxOpset {
		return nil, fmt.Errorf("its operators are those of ONNX opset %d, and opsets %d to %d are known: export it again with one of those, or use onnx.version_converter", opset, MinOpset, MaxOpset)
	}
	c := &converter{
		graph: &m.Graph, opset: opset, folder: outside,
		read: map[string]bool{}, values: map[string]value{}, weights: graph.Weights{}, shapes: map[string]graph.Shape{}, taken: map[string]bool{"loss": true},
		left: cmp.Or(o.room, maxWeights), folds: 2 * slack, release: release,
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
	var unsupported []string
	for i := range m.Graph.Nodes {
		if !needed[i] {
			continue
		}
		if err := c.convert(&m.Graph.Nodes[i]); err != nil {
			unsupported = append(unsupported, printable(fmt.Sprintf("%s: %v", describe(&m.Graph.Nodes[i], i), err)))
		}
	}
	if len(unsupported) > 0 {
		return nil, Unsupported{unsupported, c.behind}
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
