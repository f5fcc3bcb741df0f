// Package prune decides what to cut from a network and cuts it: channels,
// layers and residual blocks in one optimisation, within a measured latency
// (multi-dimensional pruning, arXiv 2406.12079 and 2504.02168).
package prune

import (
	"fmt"

	"mdp/engine/graph"
)

// Coupling says which channels of a network must go together and which residual
// blocks may go. Couple finds it by walking the graph.
type Coupling struct {
	Groups []Group `json:"groups"`
	Blocks []Block `json:"blocks"`

	out      []int // group of each node's output, −1 for the loss
	in       []int // group of each node's (first) input, −1 for the image
	block    []int // block each node is removed with, −1 for none
	features []int // channels of each node's output
	index    map[string]int
}

// Group is a set of channels that every member has: channel c goes from all of
// them or from none. Members are named in node order.
type Group struct {
	ID        int      `json:"id"`
	Channels  int      `json:"channels"`
	Producers []string `json:"producers,omitempty"` // convolutions and linear layers whose outputs these are
	Norms     []string `json:"norms,omitempty"`     // batch norms over them
	Depthwise []string `json:"depthwise,omitempty"` // depthwise convolutions that pass them on
	Consumers []string `json:"consumers,omitempty"` // convolutions and linear layers that read them
	Fixed     bool     `json:"fixed,omitempty"`     // every channel stays
	FixedWhy  string   `json:"fixed_why,omitempty"`
}

// Couple finds the groups and the removable blocks of g.
//
// A convolution or linear layer starts a new group for its outputs. Batch norm,
// activation, pooling and depthwise convolution keep their input's; an addition
// makes its operands' one. A flattened image keeps its group too: channel c of
// H×W×C is the features p·C+c of every position p.
//
// The image's and the output's channels are fixed, and so are both ends of a
// convolution that is grouped but not depthwise. Groups[0] is the image, so
// Groups[0].Consumers are the first convolutions, whose outputs the reference
// keeps whole as well: call Fix with each of them to do the same.
//
// A loss at the end changes neither groups nor blocks.
func Couple(g *graph.Graph) (*Coupling, error) {
	if len(layers(g, upTo(g.Len()))) == 0 {
		return nil, fmt.Errorf("graph %q has no convolution and no linear layer: there is nothing to prune", g.Name())
	}
	s := sets{of: make([]int, g.Len())}
	for i := range g.Len() {
		if op := g.Node(i).Op; op == graph.OpMul || op == graph.OpConcat {
			return nil, fmt.Errorf("graph %q: coupling does not see through %s (%s)", g.Name(), g.Node(i).Name, op)
		}
		s.visit(g, i)
	}
	s.fix(s.of[g.Len()-1], "the network's output")
	c := &Coupling{
		out:      make([]int, g.Len()),
		in:       make([]int, g.Len()),
		features: make([]int, g.Len()),
		index:    make(map[string]int, g.Len()),
	}
	id := map[int]int{none: none}
	for i := range g.Len() {
		root := s.root(s.of[i])
		if _, ok := id[root]; !ok {
			id[root] = len(c.Groups)
			why := s.why[root]
			c.Groups = append(c.Groups, Group{ID: id[root], Channels: s.channels[root], Fixed: why != "", FixedWhy: why})
		}
		c.out[i], c.in[i] = id[root], none
		if in := g.Inputs(i); len(in) > 0 {
			c.in[i] = c.out[in[0]]
		}
		c.features[i] = g.Shape(i).C
		c.index[g.Node(i).Name] = i
		c.enrol(g, i)
	}
	c.findBlocks(g)
	return c, nil
}

// none stands for no group and no block.
const none = -1

// enrol enters node i in the groups of its channels.
func (c *Coupling) enrol(g *graph.Graph, i int) {
	n := g.Node(i)
	switch {
	case depthwise(g, i):
		c.Groups[c.out[i]].Depthwise = append(c.Groups[c.out[i]].Depthwise, n.Name)
	case n.Op == graph.OpConv2D || n.Op == graph.OpLinear:
		c.Groups[c.in[i]].Consumers = append(c.Groups[c.in[i]].Consumers, n.Name)
		c.Groups[c.out[i]].Producers = append(c.Groups[c.out[i]].Producers, n.Name)
	case n.Op == graph.OpBatchNorm:
		c.Groups[c.out[i]].Norms = append(c.Groups[c.out[i]].Norms, n.Name)
	}
}

// OutGroup is the group of node i's output channels, or −1 for the loss.
func (c *Coupling) OutGroup(i int) int { return c.out[i] }

// InGroup is the group of the channels that node i reads, or −1 for the image.
func (c *Coupling) InGroup(i int) int { return c.in[i] }

// BlockOf is the block that node i is removed with, or −1.
func (c *Coupling) BlockOf(i int) int { return c.block[i] }

// Fix leaves the node called name alone: all its output channels stay, and with
// them its whole group, and so does the block it is in. Its inputs may still
// shrink. The first reason given for a group or block is kept.
func (c *Coupling) Fix(name, why string) error {
	i, ok := c.index[name]
	if !ok || c.out[i] == none {
		return fmt.Errorf("cannot fix %q: the network has no layer of that name", name)
	}
	if g := &c.Groups[c.out[i]]; !g.Fixed {
		g.Fixed, g.FixedWhy = true, why
	}
	if c.block[i] != none {
		if b := &c.Blocks[c.block[i]]; !b.Fixed {
			b.Fixed, b.FixedWhy = true, why
		}
	}
	return nil
}

// depthwise says whether node i convolves each of its channels by itself.
func depthwise(g *graph.Graph, i int) bool {
	c := g.Node(i).Conv2D
	return c != nil && c.Groups > 1 && c.Groups == c.Out && c.Groups == g.Shape(g.Inputs(i)[0]).C
}

// sets are the channel sets while the graph is walked: a union-find forest.
type sets struct {
	of       []int // set of each node's output, or none
	parent   []int
	channels []int
	why      []string // why a root is fixed, or ""
}

// visit gives node i its set; its inputs have theirs.
func (s *sets) visit(g *graph.Graph, i int) {
	n := g.Node(i)
	var in [2]int
	for j, k := range g.Inputs(i) {
		in[j] = s.of[k]
	}
	switch {
	case n.Op == graph.OpInput:
		s.of[i] = s.add(g.Shape(i).C)
		s.fix(s.of[i], "the image's channels")
	case n.Op == graph.OpSoftmaxLoss:
		s.of[i] = none
		s.fix(in[0], "the network's output")
	case depthwise(g, i):
		s.of[i] = in[0]
	case n.Op == graph.OpConv2D || n.Op == graph.OpLinear:
		s.of[i] = s.add(g.Shape(i).C)
		if n.Conv2D != nil && n.Conv2D.Groups > 1 {
			why := fmt.Sprintf("convolution %s has %d groups and is not depthwise", n.Name, n.Conv2D.Groups)
			s.fix(in[0], why)
			s.fix(s.of[i], why)
		}
	case n.Op == graph.OpAdd:
		s.of[i] = s.union(in[0], in[1], n.Name)
	default:
		s.of[i] = in[0]
	}
}

func (s *sets) add(channels int) int {
	s.parent = append(s.parent, len(s.parent))
	s.channels = append(s.channels, channels)
	s.why = append(s.why, "")
	return len(s.parent) - 1
}

func (s *sets) root(a int) int {
	for a != none && s.parent[a] != a {
		s.parent[a] = s.parent[s.parent[a]]
		a = s.parent[a]
	}
	return a
}

func (s *sets) fix(a int, why string) {
	if a = s.root(a); a != none && s.why[a] == "" {
		s.why[a] = why
	}
}

// union makes the operands of an addition one set. A flattened image and a
// vector of as many features have no channel in common: both stay whole.
func (s *sets) union(a, b int, name string) int {
	a, b = s.root(a), s.root(b)
	if s.channels[a] != s.channels[b] {
		why := fmt.Sprintf("%s adds features of %d and of %d channels", name, s.channels[a], s.channels[b])
		s.fix(a, why)
		s.fix(b, why)
		return a
	}
	if why := s.why[b]; why != "" {
		s.fix(a, why)
	}
	s.parent[b] = a
	return a
}
