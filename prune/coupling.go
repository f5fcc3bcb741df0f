// Package prune decides what to cut from a network and cuts it: channels,
// layers and residual blocks in one optimisation, within a measured latency
// (multi-dimensional pruning, arXiv 2406.12079 and 2504.02168).
package prune

import (
	"fmt"
	"slices"

	"mdp/engine/graph"
)

// Coupling says which channels of a network must go together and which residual
// blocks may go. Couple finds it by walking the graph.
type Coupling struct {
	Groups []Group `json:"groups"`
	Blocks []Block `json:"blocks"`

	out      [][]int // groups of each node's output, side by side, over and over for each position of a flattened image; none for the loss
	block    []int   // block each node is removed with, −1 for none
	features []int   // channels of each node's output
	index    map[string]int
}

// Group is a set of channels that every member has: channel c goes from all of
// them or from none. Members are named in node order.
type Group struct {
	ID        int      `json:"id"`
	Channels  int      `json:"channels"`
	Producers []string `json:"producers,omitempty"` // convolutions and linear layers whose outputs these are
	Norms     []string `json:"norms,omitempty"`     // batch norms over them
	Depthwise []string `json:"depthwise,omitempty"` // depthwise and grouped convolutions that pass them on
	Consumers []string `json:"consumers,omitempty"` // convolutions and linear layers that read them
	Unit      int      `json:"unit,omitempty"`      // channels that go together, from a multiple of it on; 0 is 1
	Fixed     bool     `json:"fixed,omitempty"`     // every channel stays
	FixedWhy  string   `json:"fixed_why,omitempty"`
}

// Couple finds the groups and the removable blocks of g.
//
// A convolution or linear layer starts a new group for its outputs. Batch norm,
// activation, pooling and depthwise convolution keep their input's; an addition
// and a multiplication make their operands' one, so that the gates of
// squeeze-excitation go with what they gate. A concatenation has its inputs'
// groups side by side. A flattened image keeps its groups too: channel c of
// H×W×C is the features p·C+c of every position p.
//
// A grouped convolution with as many channels out as in is a depthwise one whose
// channels are whole groups: those go together, input and output, in units. What
// stays is as wide a group as before, which is what kernels are made for; taking
// the same channels from each group instead would tie groups that have nothing to
// do with each other. Any other grouped convolution fixes both its ends.
//
// The image's and the output's channels are fixed, and so is what a layer reads
// where no weights can make it zero, such as a sigmoid's output: a mask could not
// stand for its removal. Groups[0] is the image, so
// Groups[0].Consumers are the first convolutions, whose outputs the reference
// keeps whole as well: call Fix with each of them to do the same.
//
// A loss at the end changes neither groups nor blocks.
func Couple(g *graph.Graph) (*Coupling, error) {
	if len(layers(g, upTo(g.Len()))) == 0 {
		return nil, fmt.Errorf("graph %q has no convolution and no linear layer: there is nothing to prune", g.Name())
	}
	s := sets{of: make([][]int, g.Len()), silent: make([]bool, g.Len())}
	for i := range g.Len() {
		s.visit(g, i)
	}
	s.fix(s.of[g.Len()-1], "the network's output")
	c := &Coupling{
		out:      make([][]int, g.Len()),
		features: make([]int, g.Len()),
		index:    make(map[string]int, g.Len()),
	}
	id := map[int]int{}
	for i := range g.Len() {
		for _, a := range s.of[i] {
			root := s.root(a)
			if _, ok := id[root]; !ok {
				id[root] = len(c.Groups)
				c.Groups = append(c.Groups, s.group(root, len(c.Groups)))
			}
			c.out[i] = append(c.out[i], id[root])
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

// enrol enters node i in the groups of its channels, once in each.
func (c *Coupling) enrol(g *graph.Graph, i int) {
	n := g.Node(i)
	list := func(at int, in func(*Group) *[]string) {
		for _, id := range distinct(c.out[at]) {
			names := in(&c.Groups[id])
			*names = append(*names, n.Name)
		}
	}
	switch {
	case passed(g, i) > 0:
		list(i, func(g *Group) *[]string { return &g.Depthwise })
	case n.Op == graph.OpConv2D || n.Op == graph.OpLinear:
		list(g.Inputs(i)[0], func(g *Group) *[]string { return &g.Consumers })
		list(i, func(g *Group) *[]string { return &g.Producers })
	case n.Op == graph.OpBatchNorm:
		list(i, func(g *Group) *[]string { return &g.Norms })
	}
}

// distinct are the groups of a node's channels, each once, in order.
func distinct(groups []int) []int {
	var once []int
	for _, id := range groups {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once
}

// Out lists the groups of node i's output channels, side by side; a flattened
// image has them over and over, once for every position. A loss has none.
func (c *Coupling) Out(i int) []int { return c.out[i] }

// OutGroup is the one group of node i's output channels, or −1 for the loss and
// for several groups side by side.
func (c *Coupling) OutGroup(i int) int {
	if once := distinct(c.out[i]); len(once) == 1 {
		return once[0]
	}
	return none
}

// BlockOf is the block that node i is removed with, or −1.
func (c *Coupling) BlockOf(i int) int { return c.block[i] }

// Fix leaves the node called name alone: all its output channels stay, and with
// them their whole groups, and so does the block it is in. Its inputs may still
// shrink. The first reason given for a group or block is kept.
func (c *Coupling) Fix(name, why string) error {
	i, ok := c.index[name]
	if !ok || len(c.out[i]) == 0 {
		return fmt.Errorf("cannot fix %q: the network has no layer of that name", name)
	}
	for _, id := range c.out[i] {
		if g := &c.Groups[id]; !g.Fixed {
			g.Fixed, g.FixedWhy = true, why
		}
	}
	if c.block[i] != none {
		if b := &c.Blocks[c.block[i]]; !b.Fixed {
			b.Fixed, b.FixedWhy = true, why
		}
	}
	return nil
}

// unit is how many channels of the group go together.
func (g Group) unit() int { return max(1, g.Unit) }

// passed is how many channels a convolution mixes among themselves where it has
// groups and passes on as many channels as it reads: 1 of a depthwise one. It is
// 0 for any other node.
func passed(g *graph.Graph, i int) int {
	c := g.Node(i).Conv2D
	if c == nil || c.Groups == 1 || c.Out != g.Shape(g.Inputs(i)[0]).C {
		return 0
	}
	return c.Out / c.Groups
}
