// Package inspect shows what is in a network: its layers, what each costs, which
// channels go together and which blocks may go; as a table, as JSON and drawn.
package inspect

import (
	"fmt"
	"slices"
	"strings"

	"mdp/engine/graph"
	"mdp/prune"
)

// Network is all there is to see of a network.
type Network struct {
	Name       string        `json:"network"`
	Input      graph.Shape   `json:"input"`
	Output     graph.Shape   `json:"output"`
	Parameters int64         `json:"parameters"`
	MACs       int64         `json:"macs"`
	Rows       []Row         `json:"rows"`
	Groups     []prune.Group `json:"groups"`
	Blocks     []prune.Block `json:"blocks"`
}

// Row is a layer, and the batch norm and activation that only it feeds.
type Row struct {
	Name       string      `json:"name"` // of the layer
	Nodes      []string    `json:"nodes"`
	Does       string      `json:"does"` // conv 3×3/2 bn relu
	Reads      []int       `json:"reads"`
	Shape      graph.Shape `json:"shape"` // of its output
	Parameters int64       `json:"parameters"`
	MACs       int64       `json:"macs"`
	Groups     []int       `json:"groups"`          // of its output's channels, side by side
	Block      string      `json:"block,omitempty"` // that it may go with
}

// Describe looks at a network.
func Describe(g *graph.Graph) (*Network, error) {
	n := &Network{
		Name: g.Name(), Input: g.Shape(0), Output: g.Shape(g.Len() - 1), Parameters: g.ParamCount(), MACs: g.MACs(),
	}
	c, err := prune.Couple(g)
	if err != nil {
		return nil, err
	}
	n.Groups, n.Blocks = c.Groups, c.Blocks
	row := make([]int, g.Len()) // that a node is in
	for i := range g.Len() {
		if in := g.Inputs(i); i > 0 && joins(g, i) {
			row[i] = row[in[0]]
		} else {
			row[i] = len(n.Rows)
			n.Rows = append(n.Rows, Row{Name: g.Node(i).Name, Does: does(g, i), Reads: []int{}})
			for _, k := range in {
				n.Rows[row[i]].Reads = append(n.Rows[row[i]].Reads, row[k])
			}
		}
		r := &n.Rows[row[i]]
		if len(r.Nodes) > 0 {
			r.Does += " " + short(g.Node(i).Op)
		}
		r.Nodes = append(r.Nodes, g.Node(i).Name)
		r.Shape = g.Shape(i)
		r.Groups = distinct(c.Out(i))
		for _, p := range g.NodeParams(i) {
			if p.Role.Learned() {
				r.Parameters += int64(p.Size())
			}
			if p.Role == graph.RoleFilter {
				r.MACs += int64(g.Shape(i).H) * int64(g.Shape(i).W) * int64(p.Size())
			}
		}
		if b := c.BlockOf(i); b >= 0 {
			r.Block = c.Blocks[b].Name
		}
	}
	return n, nil
}

// joins says whether node i stands in the row of the node that it reads: what it
// computes of each number alone, where nothing else reads that node.
func joins(g *graph.Graph, i int) bool {
	switch g.Node(i).Op {
	case graph.OpBatchNorm, graph.OpScale, graph.OpReLU, graph.OpReLU6, graph.OpSigmoid, graph.OpHardSigmoid,
		graph.OpHardSwish, graph.OpSiLU, graph.OpClip, graph.OpSoftmax, graph.OpFlatten:
	default:
		return false
	}
	in := g.Inputs(i)[0]
	return in > 0 && len(g.Consumers(in)) == 1
}

// short is what a table calls an operation.
func short(op graph.Op) string {
	switch op {
	case graph.OpBatchNorm:
		return "bn"
	case graph.OpGlobalAvgPool:
		return "mean"
	case graph.OpSoftmaxLoss:
		return "loss"
	}
	return string(op)
}

// does is what node i computes.
func does(g *graph.Graph, i int) string {
	switch n := g.Node(i); n.Op {
	case graph.OpConv2D:
		c := n.Conv2D
		s := "conv " + extent(c.Kernel)
		if c.Stride != [2]int{1, 1} {
			s += "/" + stride(c.Stride)
		}
		if c.Dilation != [2]int{1, 1} {
			s += " dilated " + stride(c.Dilation)
		}
		switch {
		case c.Groups > 1 && c.Groups == c.Out && c.Groups == g.Shape(g.Inputs(i)[0]).C:
			s = "depthwise" + strings.TrimPrefix(s, "conv")
		case c.Groups > 1:
			s += fmt.Sprintf(" in %d groups", c.Groups)
		}
		return s
	case graph.OpMaxPool, graph.OpAvgPool:
		s := strings.TrimSuffix(string(n.Op), "_pool") + " " + extent(n.Pool.Kernel)
		if n.Pool.Stride != [2]int{1, 1} {
			s += "/" + stride(n.Pool.Stride)
		}
		return s
	default:
		return short(n.Op)
	}
}

func extent(k [2]int) string { return fmt.Sprintf("%d×%d", k[0], k[1]) }

func stride(s [2]int) string {
	if s[0] == s[1] {
		return fmt.Sprint(s[0])
	}
	return extent(s)
}

// distinct are a node's groups, each once.
func distinct(groups []int) []int {
	once := []int{}
	for _, g := range groups {
		if !slices.Contains(once, g) {
			once = append(once, g)
		}
	}
	return once
}

// coupled says whether a group ties several layers together, so that a channel
// goes from all of them.
func coupled(g prune.Group) bool { return len(g.Producers)+len(g.Depthwise) > 1 }
