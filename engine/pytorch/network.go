package pytorch

import (
	"errors"
	"fmt"
	"strings"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// Build makes the network called name with as many classes, and for images of as
// many channels, as the file's tensors have, unless classes says. Images are size
// high and wide; 0 is the network's own size.
func (c *Checkpoint) Build(name string, classes, size int, width float64) (*graph.Graph, error) {
	g, err := nets.Build(name, nets.Options{})
	if err != nil {
		return nil, err
	}
	o := nets.Options{Classes: classes, Input: g.Shape(0), Width: width}
	if size > 0 {
		o.Input.H, o.Input.W = size, size
	}
	first, last := ends(g)
	for _, d := range dialects(g) {
		for _, t := range c.Tensors {
			if len(t.Shape) == 4 && t.Name == d.name(first)+".weight" {
				at := 1
				if c.ours {
					at = 3
				}
				o.Input.C = t.Shape[at]
			}
			if len(t.Shape) >= 2 && t.Name == d.name(last)+".weight" && classes == 0 {
				o.Classes = t.Shape[0]
			}
		}
	}
	return nets.Build(name, o)
}

// ends are the first convolution and the last linear layer.
func ends(g *graph.Graph) (first, last string) {
	for i := range g.Len() {
		switch n := g.Node(i); {
		case n.Op == graph.OpConv2D && first == "":
			first = n.Name
		case n.Op == graph.OpLinear:
			last = n.Name
		}
	}
	return first, last
}

// Find makes the one network that the file's tensors fit.
func (c *Checkpoint) Find(classes, size int, width float64) (*graph.Graph, error) {
	var found []*graph.Graph
	var names []string
	for _, n := range nets.List() {
		g, err := c.Build(n.Name, classes, size, width)
		if err != nil {
			continue // of another size
		}
		for _, d := range dialects(g) {
			if m := c.match(g, d); len(m.Missing)+len(m.Extra)+len(m.Wrong) == 0 {
				found, names = append(found, g), append(names, n.Name)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, errors.New("the tensors fit none of the networks that mdp nets lists; with --net NAME every difference to that one is listed")
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("the tensors fit %s: choose with --net", strings.Join(names, " and "))
}
