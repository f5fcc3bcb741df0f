package prune

import (
	"mdp/engine/graph"
)

// Extract returns the network that the choice leaves, and its weights: the one
// computes what g computes under Mask. Names are those of g.
func Extract(g *graph.Graph, w graph.Weights, c *Coupling, ch Choice) (*graph.Graph, graph.Weights, error) {
	small, err := ExtractGraph(g, c, ch)
	if err != nil {
		return nil, nil, err
	}
	if err := w.Check(g); err != nil {
		return nil, nil, err
	}
	return small, extractWeights(g, w, c, ch), nil
}

// ExtractGraph is Extract without the weights.
//
// Of a removed block its branch and addition go, and the shortcut stands in for
// the sum. The activation after it stays as well, unless the shortcut is already
// within its range, where it would do nothing: relu(relu(x)) = relu(x).
func ExtractGraph(g *graph.Graph, c *Coupling, ch Choice) (*graph.Graph, error) {
	if err := ch.Check(g, c); err != nil {
		return nil, err
	}
	stand := upTo(g.Len()) // the node that is read in place of node i
	var nodes []graph.Node
	for i, n := range g.Nodes() {
		in := g.Inputs(i)
		if c.Removed(ch, i) {
			if b := c.Blocks[c.block[i]]; n.Name == b.Add {
				stand[i] = stand[c.index[b.Shortcut]]
			}
			continue
		}
		if len(in) == 1 && stand[in[0]] != in[0] && idle(g, n.Op, stand[in[0]], stand) {
			stand[i] = stand[in[0]]
			continue
		}
		for j, k := range in {
			n.Inputs[j] = g.Node(stand[k]).Name
		}
		switch n.Op {
		case graph.OpConv2D:
			n.Conv2D.Out = len(c.Kept(ch, i))
			if width := passed(g, i); width > 0 {
				n.Conv2D.Groups = n.Conv2D.Out / width
			}
		case graph.OpLinear:
			n.Linear.Out = len(c.Kept(ch, i))
		}
		nodes = append(nodes, n)
	}
	return graph.New(g.Name(), nodes)
}

// idle says whether activation op changes nothing about the output of node i,
// which is another activation's, perhaps pooled since.
func idle(g *graph.Graph, op graph.Op, i int, stand []int) bool {
	if op != graph.OpReLU && op != graph.OpReLU6 {
		return false
	}
	for {
		switch g.Node(i).Op {
		case graph.OpReLU6:
			return true
		case graph.OpReLU:
			return op == graph.OpReLU
		case graph.OpMaxPool, graph.OpAvgPool, graph.OpGlobalAvgPool, graph.OpFlatten:
			i = stand[g.Inputs(i)[0]]
		default:
			return false
		}
	}
}

// extractWeights copies the kept slices of every node that is not removed.
func extractWeights(g *graph.Graph, w graph.Weights, c *Coupling, ch Choice) graph.Weights {
	small := graph.Weights{}
	for _, p := range g.Params() {
		if c.Removed(ch, p.Node) {
			continue
		}
		rows := c.Kept(ch, p.Node)
		shape := append([]int{len(rows)}, p.Shape[1:]...)
		cols := []int{0}
		if last := len(shape) - 1; p.Role == graph.RoleFilter {
			cols = upTo(shape[last])
			if in := g.Inputs(p.Node)[0]; shape[last] == g.Shape(in).C { // a filter over all channels
				cols = c.Kept(ch, in)
				shape[last] = len(cols)
			}
		}
		small[p.Name] = graph.NewTensor(shape...)
		gather(small.Data(p.Name), w.Data(p.Name), rows, cols, p)
	}
	return small
}

// gather copies dst[i, m, j] = src[rows[i], m, cols[j]] for every m, the middle
// extents of p taken as one. A vector has a single column.
func gather(dst, src []float32, rows, cols []int, p graph.Param) {
	row, col := p.Size()/p.Shape[0], 1
	if p.Role == graph.RoleFilter {
		col = p.Shape[len(p.Shape)-1]
	}
	at := 0
	for _, r := range rows {
		for m := r * row; m < (r+1)*row; m += col {
			for _, k := range cols {
				dst[at] = src[m+k]
				at++
			}
		}
	}
}
