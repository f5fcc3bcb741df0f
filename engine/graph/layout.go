package graph

import (
	"fmt"
)

// ChannelsFirst reports a node whose parameters have no form in files where
// channels come before positions, as in PyTorch's and ONNX's.
func (g *Graph) ChannelsFirst() error {
	for i, n := range g.nodes {
		for _, in := range g.inputs[i] {
			if f := g.Flattened(in); f.Size() > f.C && (n.Op == OpConv2D || n.Op == OpConcat || len(g.inputs[i]) > 1 && g.Flattened(i) != f) {
				return fmt.Errorf("graph %q: node %d %q (%s) reads a flattened image of %v in our order, which has no channels-first form", g.name, i, n.Name, n.Op, f)
			}
		}
	}
	return nil
}

// Flattened is the image in whose order node i's features stand: of H×W×C for
// what flattening one made, and what was computed of each of its features alone;
// 1×1×C otherwise.
func (g *Graph) Flattened(i int) Shape {
	s := g.shapes[i]
	if s.H != 1 || s.W != 1 {
		return Shape{1, 1, s.C}
	}
	switch g.nodes[i].Op {
	case OpInput, OpConv2D, OpLinear, OpConcat, OpGlobalAvgPool:
		return Shape{1, 1, s.C}
	case OpFlatten:
		if in := g.shapes[g.inputs[i][0]]; in.H > 1 || in.W > 1 {
			return in
		}
	}
	return g.Flattened(g.inputs[i][0])
}

// ChannelsFirstShape is the shape of a parameter in a file of PyTorch's or
// ONNX's: that of a convolution's filter is K×C×R×S there.
func (g *Graph) ChannelsFirstShape(p Param) []int {
	if len(p.Shape) == 4 {
		return []int{p.Shape[0], p.Shape[3], p.Shape[1], p.Shape[2]}
	}
	return p.Shape
}

// ToChannelsFirst copies a parameter as it lies here, channels last, to dst as
// PyTorch and ONNX have it:
//
//	dst[k, c, p] = src[k, p, c]
//
// for every row k, position p and channel c: positions of a convolution's filter,
// or of the flattened image whose features a linear layer reads or a batch norm
// stands for. Anything else is copied as it is.
func (g *Graph) ToChannelsFirst(dst, src []float32, p Param) {
	rows, positions, channels := g.order(p)
	transpose(dst, src, rows, positions, channels)
}

// FromChannelsFirst is the inverse of ToChannelsFirst.
func (g *Graph) FromChannelsFirst(dst, src []float32, p Param) {
	rows, positions, channels := g.order(p)
	transpose(dst, src, rows, channels, positions)
}

// order is a parameter's extents: rows × positions × channels.
func (g *Graph) order(p Param) (rows, positions, channels int) {
	switch n := g.nodes[p.Node]; {
	case n.Op == OpConv2D && p.Role == RoleFilter:
		return p.Shape[0], p.Shape[1] * p.Shape[2], p.Shape[3]
	case n.Op == OpLinear && p.Role == RoleFilter:
		f := g.Flattened(g.inputs[p.Node][0])
		return p.Shape[0], f.H * f.W, f.C
	case n.Op == OpBatchNorm || n.Op == OpScale:
		f := g.Flattened(p.Node)
		return 1, f.H * f.W, f.C
	}
	return 1, 1, p.Size()
}

// transpose copies dst[r, j, i] = src[r, i, j].
func transpose(dst, src []float32, rows, n, m int) {
	if n == 1 || m == 1 {
		copy(dst, src)
		return
	}
	for r := range rows {
		d, s := dst[r*n*m:(r+1)*n*m], src[r*n*m:(r+1)*n*m]
		for i := range n {
			row := s[i*m : (i+1)*m]
			for j, v := range row {
				d[j*n+i] = v
			}
		}
	}
}
