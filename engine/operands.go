package engine

import "slices"

// operands collects a call's buffers, leaving out the absent ones.
type operands []Operand

func (o operands) add(name string, b Buffer, n int, read, write bool) operands {
	if b == None {
		return o
	}
	return append(o, Operand{Name: name, Buffer: b, Len: n, Read: read, Write: write})
}

func (o operands) in(name string, b Buffer, n int) operands  { return o.add(name, b, n, true, false) }
func (o operands) out(name string, b Buffer, n int) operands { return o.add(name, b, n, false, true) }

// activations says which of them, by name, are activations or their gradients.
func (o operands) activations(names ...string) []Operand {
	for i := range o {
		o[i].Activation = slices.Contains(names, o[i].Name)
	}
	return o
}

// inout is an output that is also read, or, where accumulate is false, only written.
func (o operands) inout(name string, b Buffer, n int, accumulate bool) operands {
	return o.add(name, b, n, accumulate, true)
}

func (o operands) norm(n InputNorm, c int) operands {
	return o.in("gamma", n.Gamma, c).in("beta", n.Beta, c).in("mean", n.Mean, c).in("invstd", n.InvStd, c)
}

func (c ConvForward) Operands() []Operand {
	return operands{}.out("y", c.Y, c.out()).in("x", c.X, c.in()).in("w", c.W, c.filter()).in("b", c.B, c.K).in("z", c.Z, c.out()).norm(c.XNorm, c.C).activations("y", "x", "z")
}

func (c ConvBackwardData) Operands() []Operand {
	return operands{}.inout("dx", c.DX, c.in(), c.Accumulate).in("dy", c.DY, c.out()).in("w", c.W, c.filter()).activations("dx", "dy")
}

func (c ConvBackwardFilter) Operands() []Operand {
	return operands{}.out("dw", c.DW, c.filter()).in("dy", c.DY, c.out()).in("x", c.X, c.in()).norm(c.XNorm, c.C).activations("dy", "x")
}

func (c BiasBackward) Operands() []Operand {
	return operands{}.out("db", c.DB, c.C).in("dy", c.DY, c.Rows*c.C).activations("dy")
}

func (c BatchNormForward) Operands() []Operand {
	n := c.Rows * c.C
	return operands{}.out("y", c.Y, n).in("x", c.X, n).in("z", c.Z, n).in("gamma", c.Gamma, c.C).in("beta", c.Beta, c.C).
		inout("runmean", c.RunMean, c.C, true).inout("runvar", c.RunVar, c.C, true).out("mean", c.Mean, c.C).out("invstd", c.InvStd, c.C).activations("y", "x", "z")
}

func (c BatchNormAgain) Operands() []Operand {
	n := c.Rows * c.C
	return operands{}.out("y", c.Y, n).in("x", c.X, n).in("z", c.Z, n).in("gamma", c.Gamma, c.C).in("beta", c.Beta, c.C).
		in("mean", c.Mean, c.C).in("invstd", c.InvStd, c.C).activations("y", "x", "z")
}

func (c BatchNormInfer) Operands() []Operand {
	n := c.Rows * c.C
	return operands{}.out("y", c.Y, n).in("x", c.X, n).in("z", c.Z, n).in("gamma", c.Gamma, c.C).in("beta", c.Beta, c.C).
		in("runmean", c.RunMean, c.C).in("runvar", c.RunVar, c.C).activations("y", "x", "z")
}

func (c BatchNormBackward) Operands() []Operand {
	n := c.Rows * c.C
	return operands{}.out("dx", c.DX, n).inout("dz", c.DZ, n, c.AccumulateZ).out("dgamma", c.DGamma, c.C).out("dbeta", c.DBeta, c.C).
		out("signed", c.Signed, c.C).in("dy", c.DY, n).in("y", c.Y, n).in("x", c.X, n).
		in("gamma", c.Gamma, c.C).in("beta", c.Beta, c.C).in("mean", c.Mean, c.C).in("invstd", c.InvStd, c.C).activations("dx", "dz", "dy", "y", "x")
}

func (c Activate) Operands() []Operand {
	return operands{}.out("y", c.Y, c.Len).in("x", c.X, c.Len).activations("y", "x")
}

func (c ActivateBackward) Operands() []Operand {
	return operands{}.inout("dx", c.DX, c.Len, c.Accumulate).in("dy", c.DY, c.Len).in("y", c.Y, c.Len).in("x", c.X, c.Len).activations("dx", "dy", "y", "x")
}

func (c Add) Operands() []Operand {
	return operands{}.out("y", c.Y, c.Len).in("a", c.A, c.Len).in("b", c.B, c.Len).activations("y", "a", "b")
}

func (c MaxPoolForward) Operands() []Operand {
	return operands{}.out("y", c.Y, c.out()).in("x", c.X, c.in()).activations("y", "x")
}

func (c MaxPoolBackward) Operands() []Operand {
	return operands{}.inout("dx", c.DX, c.in(), c.Accumulate).in("dy", c.DY, c.out()).in("y", c.Y, c.out()).in("x", c.X, c.in()).activations("dx", "dy", "y", "x")
}

func (c AvgPoolForward) Operands() []Operand {
	return operands{}.out("y", c.Y, c.out()).in("x", c.X, c.in()).activations("y", "x")
}

func (c AvgPoolBackward) Operands() []Operand {
	return operands{}.inout("dx", c.DX, c.in(), c.Accumulate).in("dy", c.DY, c.out()).activations("dx", "dy")
}

func (c SoftmaxLoss) Operands() []Operand {
	return operands{}.out("metrics", c.Metrics, 3).out("dx", c.DX, c.N*c.C).in("x", c.X, c.N*c.C).in("labels", c.Labels, c.N).in("scale", c.Scale, scaleLen).activations("dx", "x")
}

func (c Record) Operands() []Operand {
	return operands{}.inout("history", c.History, 3*c.Steps+1, true).in("metrics", c.Metrics, 3)
}

func (c SGD) Operands() []Operand {
	return operands{}.inout("p", c.P, c.Len, true).inout("v", c.V, c.Len, true).in("dp", c.DP, c.Len).in("hyper", c.Hyper, 3).in("scale", c.Scale, scaleLen)
}

func (c FilterTaylor) Operands() []Operand {
	return operands{}.out("signed", c.Signed, c.K).in("w", c.W, c.K*c.Len).in("dw", c.DW, c.K*c.Len)
}

func (c Importance) Operands() []Operand {
	var o operands
	for i, b := range c.Score {
		o = o.inout("score", b, c.C, true).in("signed", c.Signed[i], c.C)
	}
	return o.in("scale", c.Scale, scaleLen)
}
