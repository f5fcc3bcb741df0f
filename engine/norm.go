package engine

import "slices"

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
	return "conv_batch_norm" + flag(c.B, "+bias") + c.Norm.Act.String() + flag(c.Norm.Z, "+add") + "/" + c.Conv.String()
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
		l.calls[i], l.nodes[i] = both, slices.Concat(l.nodes[at], l.nodes[i])
		l.calls, l.nodes = slices.Delete(l.calls, at, at+1), slices.Delete(l.nodes, at, at+1)
		i--
	}
}

func reads(c Call, b Buffer) bool {
	return slices.ContainsFunc(c.Operands(), func(o Operand) bool { return o.Read && o.Buffer == b })
}
