package engine

import (
	"slices"

	"mdp/engine/graph"
)

// ConvBatchNorm is a convolution and the batch norm of what it writes:
//
//	ConvForward;  BatchNormForward with x = the convolution's y
//
// The convolution ends in nothing and adds nothing but its bias. The loop is that of the two
// calls; a backend that has it gathers the statistics while the convolution writes,
// and reads y once less.
type ConvBatchNorm struct {
	ConvForward
	Norm BatchNormForward
}

func (c ConvBatchNorm) Operands() []Operand {
	all := c.ConvForward.Operands()
	all[0].Name = "conv"
	return append(all, slices.DeleteFunc(c.Norm.Operands(), func(o Operand) bool { return o.Buffer == c.Norm.X })...)
}

func (c ConvBatchNorm) String() string {
	return "conv_batch_norm" + c.XNorm.String() + flag(c.B, "+bias") + c.Norm.Act.String() + flag(c.Norm.Z, "+add") + when(c.Norm.Y == None, "+statistics") + "/" + c.Conv.String()
}

// joinNorms makes one call of a convolution and the batch norm that reads it next,
// where the backend has it.
func (l *lowering) joinNorms() {
	for i := 0; i < len(l.calls); i++ {
		norm, ok := l.calls[i].(BatchNormForward)
		if !ok {
			continue
		}
		at := slices.IndexFunc(l.calls[:i], func(c Call) bool {
			conv, ok := c.(ConvForward)
			return ok && conv.Y == norm.X && conv.Act == Identity && conv.Z == None
		})
		if at < 0 || slices.ContainsFunc(l.calls[at+1:i], func(c Call) bool { return reads(c, norm.X) }) {
			continue
		}
		both := ConvBatchNorm{l.calls[at].(ConvForward), norm}
		if l.b.Supports(both) != nil {
			continue
		}
		l.join(at, i, both)
		i--
	}
}

func reads(c Call, b Buffer) bool {
	return slices.ContainsFunc(c.Operands(), func(o Operand) bool { return o.Read && o.Buffer == b })
}

// ConvBackwardBatchNorm is the gradient of a convolution's input and then that of the
// batch norm that gave it:
//
//	ConvBackwardData;  BatchNormBackward with dy = the convolution's dx
//
// A backend that has it gathers the sums while the convolution writes, and reads dx
// once less.
type ConvBackwardBatchNorm struct {
	ConvBackwardData
	Norm BatchNormBackward
}

func (c ConvBackwardBatchNorm) Operands() []Operand {
	all := c.ConvBackwardData.Operands()
	all[0].Name = "conv"
	return append(all, slices.DeleteFunc(c.Norm.Operands(), func(o Operand) bool { return o.Buffer == c.Norm.DY })...)
}

func (c ConvBackwardBatchNorm) String() string {
	return "conv_batch_norm_backward" + plus(c.Accumulate) + "_of_norm" + c.Norm.how() + "/" + c.Conv.String()
}

// joinGradients makes one call of the last convolution that writes a gradient and the
// batch norm that reads it next, where the backend has it.
func (l *lowering) joinGradients() {
	for i := 1; i < len(l.calls); i++ {
		norm, ok := l.calls[i].(BatchNormBackward)
		conv, after := l.calls[i-1].(ConvBackwardData)
		both := ConvBackwardBatchNorm{conv, norm}
		if !ok || !after || conv.DX != norm.DY || l.b.Supports(both) != nil {
			continue
		}
		l.join(i-1, i, both)
		i--
	}
}

// normed is a batch norm whose output those who read it compute from its input x.
type normed struct {
	x    Buffer
	norm InputNorm
}

// input is where a convolution reads node i's value, and what it makes of it.
func (l *lowering) input(i int) (Buffer, InputNorm) {
	if n, ok := l.norms[i]; ok {
		return n.x, n.norm
	}
	return l.again(i), InputNorm{}
}

// statistics is all that is computed of an unwritten batch norm.
func (l *lowering) statistics(u unit, x Buffer) {
	c := l.batchNorm(u, None, x, None).(BatchNormForward)
	l.norms[u.out] = normed{x, InputNorm{Gamma: c.Gamma, Beta: c.Beta, Mean: c.Mean, InvStd: c.InvStd, Act: c.Act}}
	c.Act = Identity
	l.call(c, u.nodes...)
}

// unwritten says that a unit is a batch norm whose output needs no memory: nothing is
// added to it, convolutions alone read it, and the backend has them compute it.
func (l *lowering) unwritten(u unit) bool {
	readers := l.g.Consumers(u.out)
	if l.g.Node(u.head).Op != graph.OpBatchNorm || l.o.Mode != Train || l.o.MaskChunk > 0 || u.addend >= 0 || len(readers) == 0 {
		return false
	}
	const some = 1 // a buffer to ask with
	asked := []Call{BatchNormForward{Rows: l.rows(u.head), C: l.g.Shape(u.head).C, X: some}}
	norm := InputNorm{Gamma: some, Beta: some, Mean: some, InvStd: some, Act: u.act}
	for _, i := range readers {
		if l.g.Node(i).Op != graph.OpConv2D {
			return false
		}
		g := l.conv(i)
		asked = append(asked, ConvForward{Conv: g, Y: some, X: some, W: some, XNorm: norm}, ConvBackwardFilter{Conv: g, DW: some, DY: some, X: some, XNorm: norm})
	}
	return !slices.ContainsFunc(asked, func(c Call) bool { return l.b.Supports(c) != nil })
}
