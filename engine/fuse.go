package engine

import (
	"cmp"
	"slices"

	"mdp/engine/graph"
)

// unit is a run of nodes that one call computes: a head, the batch norm folded
// into it, an addition and an activation. Absent nodes are −1.
type unit struct {
	head, norm, add int
	addend          int // the node added, when add ≥ 0
	act             Act
	out             int // the node whose value the unit produces
	nodes           []int
}

// fuse partitions the graph's computing nodes into units, ordered so that every
// unit follows those it reads. Inference folds conv → batch norm → add →
// activation into one; training keeps the convolution apart from
// batch norm → add → activation, because the backward pass needs its output, and
// any activation that does not just pass or stop a gradient from that.
// A node joins a unit only when the unit is all that reads the node before it.
func fuse(g *graph.Graph, training bool) []unit {
	acts := []graph.Op{graph.OpReLU, graph.OpReLU6}
	if !training {
		acts = append(acts, graph.OpSigmoid, graph.OpHardSwish, graph.OpSiLU)
	}
	var units []unit
	taken := make([]bool, g.Len())
	for i := range g.Len() {
		op := g.Node(i).Op
		if taken[i] || op == graph.OpInput || op == graph.OpFlatten || op == graph.OpSoftmaxLoss {
			continue
		}
		u := unit{head: i, norm: -1, add: -1, addend: -1, out: i, nodes: []int{i}}
		next := func(ops ...graph.Op) int {
			readers := g.Consumers(u.out)
			if len(readers) != 1 || taken[readers[0]] || !slices.Contains(ops, g.Node(readers[0]).Op) {
				return -1
			}
			return readers[0]
		}
		take := func(n int) {
			taken[n] = true
			u.out = n
			u.nodes = append(u.nodes, n)
		}
		filter := !training && (op == graph.OpConv2D || op == graph.OpLinear)
		if n := next(graph.OpBatchNorm); filter && n >= 0 {
			u.norm = n
			take(n)
		}
		if n := next(graph.OpAdd); (filter || op == graph.OpBatchNorm) && n >= 0 {
			u.add = n
			u.addend = g.Inputs(n)[0]
			if u.addend == u.out {
				u.addend = g.Inputs(n)[1]
			}
			take(n)
		}
		if n := next(acts...); (filter || op == graph.OpBatchNorm || op == graph.OpAdd) && n >= 0 {
			u.act = activation(g.Node(n).Op)
			take(n)
		}
		units = append(units, u)
	}
	slices.SortFunc(units, func(a, b unit) int { return cmp.Compare(a.out, b.out) })
	return units
}

func activation(op graph.Op) Act {
	switch op {
	case graph.OpReLU:
		return ReLU
	case graph.OpReLU6:
		return ReLU6
	case graph.OpSigmoid:
		return Sigmoid
	case graph.OpHardSwish:
		return HardSwish
	case graph.OpSiLU:
		return SiLU
	}
	return Identity
}
