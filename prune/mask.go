package prune

import (
	"mdp/engine/graph"
)

// Mask returns a copy of w under which g, whole, computes what the extracted
// network computes: in every member of a group, what makes a removed channel is
// zero (filter, bias, γ, β), so that the channel is zero wherever it is read;
// and the last weights of a removed block's branch are zero, so that its
// addition passes on the shortcut. Running statistics are left as they are.
//
// On weights that are all one it gives the mask itself.
func Mask(g *graph.Graph, w graph.Weights, c *Coupling, ch Choice) (graph.Weights, error) {
	if err := ch.Check(g, c); err != nil {
		return nil, err
	}
	if err := w.Check(g); err != nil {
		return nil, err
	}
	silent := make([]bool, g.Len())
	for i, b := range c.Blocks {
		if ch.BlockOn[i] {
			continue
		}
		last, _ := silencers(g, c.index[b.Entry], c.branchExit(g, b))
		for _, j := range last {
			silent[j] = true
		}
	}
	masked := w.Clone()
	for _, p := range g.Params() {
		if !p.Role.Learned() {
			continue
		}
		d := masked.Data(p.Name)
		row := len(d) / p.Shape[0]
		next := 0
		for _, k := range c.Kept(ch, p.Node) {
			clear(d[next*row : k*row])
			next = k + 1
		}
		clear(d[next*row:])
		if silent[p.Node] {
			clear(d)
		}
	}
	return masked, nil
}

// branchExit is the operand of b's addition that is not the shortcut.
func (c *Coupling) branchExit(g *graph.Graph, b Block) int {
	in := g.Inputs(c.index[b.Add])
	if g.Node(in[0]).Name == b.Shortcut {
		return in[1]
	}
	return in[0]
}
