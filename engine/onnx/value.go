package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mdp/engine/graph"
)

// value is what a name of the model stands for: a constant, an image at a node of
// the graph, or, with neither, what came of a node that is not supported.
//
// axes says how the model's tensor lies: a letter for each of its dimensions, B
// the batch, C, H and W the image's, 1 a dimension of one element, and F an
// image of shape order flattened channel by channel, where ours goes pixel by
// pixel. What the axes leave out has one element.
type value struct {
	constant *constant
	node     string
	axes     string
	shape    graph.Shape
	order    graph.Shape
	positive bool   // no element is below zero
	pad      [4]int // zeros around it that are not yet there: top, left, bottom, right
}

func (v value) unknown() bool { return v.constant == nil && v.node == "" }

// anyBatch stands for the batch of a model that leaves it open. Being a large
// prime, it can be told from an extent in the arithmetic of shapes.
const anyBatch = 1<<31 - 1

// dims are the extents of the model's tensor.
func (c *converter) dims(v value) []int64 {
	if v.constant != nil {
		return v.constant.Dims
	}
	var dims []int64
	for _, a := range v.axes {
		dims = append(dims, c.extent(v, a))
	}
	return dims
}

func (c *converter) extent(v value, axis rune) int64 {
	switch axis {
	case 'B':
		return c.batch
	case 'C', 'F':
		return int64(v.shape.C)
	case 'H':
		return int64(v.shape.H + v.pad[0] + v.pad[2])
	case 'W':
		return int64(v.shape.W + v.pad[1] + v.pad[3])
	}
	return 1
}

// Port is how an input or output of the model lies: its name there, a letter for
// each dimension (B, C, H, W, 1, or F for features that go channel by channel
// through an image of shape Order), and the batch, which is 0 where it is open.
type Port struct {
	Name  string
	Axes  string
	Order graph.Shape
	Batch int64
}

// input finds the one input that is not a constant, and enters it.
func (c *converter) input(needed []bool, o Options) (Port, error) {
	used := map[string]bool{}
	for i, n := range c.graph.Nodes {
		for _, in := range n.Inputs {
			used[in] = used[in] || needed[i]
		}
	}
	var inputs []Value
	for _, v := range c.graph.Inputs {
		if _, ok := c.values[v.Name]; !ok && used[v.Name] {
			inputs = append(inputs, v)
		}
	}
	switch {
	case len(inputs) == 0:
		return Port{}, errors.New("its output depends on no input")
	case len(inputs) > 1:
		return Port{}, fmt.Errorf("its output depends on %d inputs, and a network has one: %s; give constants for the others", len(inputs), names(inputs))
	}
	v := inputs[0]
	if v.Type == String || v.Type == 0 || v.Type >= Complex64 && v.Type != BFloat16 {
		return Port{}, fmt.Errorf("its input %.80q is no tensor of numbers", v.Name)
	}
	axes, err := c.layout(v, needed)
	if err != nil {
		return Port{}, err
	}
	shape := graph.Shape{H: 1, W: 1, C: 1}
	for i, a := range axes {
		size := v.Dims[i].Size
		open := map[rune]int{'C': o.Input.C, 'H': o.Input.H, 'W': o.Input.W}[a]
		if a == 'B' {
			c.batch = size
			if size < 1 {
				c.batch = anyBatch
			}
			continue
		}
		if size < 1 {
			size = int64(open)
		}
		if size < 1 {
			return Port{}, fmt.Errorf("its input %.80q has an open size (%s): say the image's height and width (--size)", v.Name, string(a))
		}
		if size > 1<<30 {
			return Port{}, fmt.Errorf("its input %.80q has %s = %d", v.Name, string(a), size)
		}
		switch a {
		case 'C':
			shape.C = int(size)
		case 'H':
			shape.H = int(size)
		case 'W':
			shape.W = int(size)
		}
	}
	name := c.name(&Node{Name: v.Name}, "")
	image, err := c.emit(graph.Node{Name: name, Op: graph.OpInput, Input: &shape})
	if err != nil {
		return Port{}, fmt.Errorf("its input %.80q: %w", v.Name, err)
	}
	image.axes = axes
	c.values[v.Name] = image
	return Port{v.Name, axes, graph.Shape{}, c.batch}, nil
}

// layout chooses the input's axes. Channels stand last where all that reads the
// image moves them to the front.
func (c *converter) layout(v Value, needed []bool) (string, error) {
	if !v.Shaped {
		return "", fmt.Errorf("its input %.80q has no shape: export it with one", v.Name)
	}
	axes, ok := map[int]string{1: "B", 2: "BC", 3: "BCW", 4: "BCHW"}[len(v.Dims)]
	if !ok {
		return "", fmt.Errorf("its input %.80q has %d dimensions; images have 4: batch, channels, height, width", v.Name, len(v.Dims))
	}
	last, first := false, false
	for i, n := range c.graph.Nodes {
		if !needed[i] || !slices.Contains(n.Inputs, v.Name) {
			continue
		}
		if p := n.Attribute("perm"); n.OpType == "Transpose" && p != nil && slices.Equal(p.Ints, []int64{0, 3, 1, 2}) {
			last = true
		} else {
			first = true
		}
	}
	if last && !first && len(v.Dims) == len("BHWC") {
		return "BHWC", nil
	}
	return axes, nil
}

// relabel is the value seen with other dimensions of the same elements in the
// same order. Where the dimensions of one element are alone what differs, nothing
// is done; an image may become a vector of its features.
func (c *converter) relabel(n *Node, v value, dims []int64) (value, error) {
	if v.pad != [4]int{} {
		return value{}, errors.New("it reads the output of a Pad, which only a convolution or a pooling can")
	}
	if !strings.HasPrefix(v.axes, "B") {
		return value{}, errors.New("the batch is not its input's first dimension")
	}
	if slices.Equal(dims, c.dims(v)) {
		return v, nil
	}
	dims = slices.Clone(dims)
	if len(dims) > 1 && dims[0] == 1 && c.batch == anyBatch { // written for a batch of one
		for i, d := range dims {
			if d > 0 && d%anyBatch == 0 {
				dims[i] = d / anyBatch
			}
		}
		dims[0] = c.batch
	}
	if len(dims) == 0 || dims[0] != c.batch {
		return value{}, fmt.Errorf("it reshapes the batch: %s to %s", c.text(c.dims(v)), c.text(dims))
	}
	var from []rune // axes of more than one element
	for _, a := range v.axes[1:] {
		if c.extent(v, a) != 1 {
			from = append(from, a)
		}
	}
	to := slices.DeleteFunc(slices.Clone(dims[1:]), func(d int64) bool { return d == 1 })
	same := slices.EqualFunc(from, to, func(a rune, d int64) bool { return c.extent(v, a) == d })
	switch {
	case same:
	case len(to) == 1 && to[0] == int64(v.shape.Size()):
		order := v.shape
		flat, err := c.emit(graph.Node{Name: c.name(n, ""), Op: graph.OpFlatten}, v)
		if err != nil {
			return value{}, err
		}
		switch axes := string(from); axes {
		case "HWC", "HC", "WC", "HW": // as ours
			from, flat.order = []rune{'C'}, graph.Shape{}
		case "CHW", "CH", "CW":
			from, flat.order = []rune{'F'}, order
		default:
			return value{}, fmt.Errorf("it flattens an image that lies as %s", v.axes)
		}
		v = flat
	default:
		return value{}, fmt.Errorf("it reshapes %s to %s; only flattening and dimensions of one element are supported%s", c.text(c.dims(v)), c.text(dims), advised(n.OpType))
	}
	v.axes = c.label(v, from, dims)
	return v, nil
}

// label spells the axes of dims: those of more than one element are given in
// order, the others take what letters are left.
func (c *converter) label(v value, wide []rune, dims []int64) string {
	axes := []rune{'B'}
	var spare []rune
	for _, a := range "CHW" {
		if !slices.Contains(wide, a) && !(a == 'C' && slices.Contains(wide, 'F')) && c.extent(v, a) == 1 {
			spare = append(spare, a)
		}
	}
	for _, d := range dims[1:] {
		switch {
		case d != 1:
			axes, wide = append(axes, wide[0]), wide[1:]
		case len(spare) > 0:
			axes, spare = append(axes, spare[0]), spare[1:]
		default:
			axes = append(axes, '1')
		}
	}
	return string(axes)
}

// text writes dimensions for people.
func (c *converter) text(dims []int64) string {
	all := make([]string, len(dims))
	for i, d := range dims {
		all[i] = fmt.Sprint(d)
		if d == anyBatch {
			all[i] = "N"
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}
