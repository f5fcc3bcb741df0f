package engine

import "mdp/engine/graph"

// forwardConcat copies each input to its place among the channels.
func (l *lowering) forwardConcat(u unit, y Buffer) {
	at := 0
	for _, i := range l.g.Inputs(u.head) {
		c := l.g.Shape(i).C
		l.call(CopyChannels{Rows: l.rows(u.head), C: c, Y: y, YC: l.g.Shape(u.head).C, YAt: at, X: l.value[i], XC: c}, u.nodes...)
		at += c
	}
}

// multiplication is what a mul node multiplies: which of its inputs is of the
// output's shape, and which gates that, a whole image at a time or element by element.
type multiplication struct{ n, pixels, c, full, gate int }

func (l *lowering) mul(i int) multiplication {
	out, in := l.g.Shape(i), l.g.Inputs(i)
	m := multiplication{l.o.Batch, out.H * out.W, out.C, 0, 1}
	if l.g.Shape(in[0]) != out {
		m.full, m.gate = 1, 0
	}
	if l.g.Shape(in[m.gate]) == out {
		m.n, m.pixels = m.n*m.pixels, 1
	}
	return m
}

// clamp sets the line and the bounds of a hard sigmoid or a clip.
func clamp(n graph.Node, c Clamp) Clamp {
	if h := n.HardSigmoid; h != nil {
		c.Alpha, c.Beta, c.Low, c.High = float32(h.Alpha), float32(h.Beta), 0, 1
	} else {
		c.Alpha, c.Beta, c.Low, c.High = 1, 0, float32(n.Clip.Low), float32(n.Clip.High)
	}
	return c
}

// backwardInput is the gradient of a node without parameters with respect to its
// input j.
func (l *lowering) backwardInput(u unit, j int, dx, dy Buffer, accumulate bool) Call {
	n, in := l.g.Node(u.head), l.g.Inputs(u.head)
	switch n.Op {
	case graph.OpAdd:
		c := ActivateBackward{Len: l.size(u.out), DX: dx, DY: dy, Act: u.act, Accumulate: accumulate}
		if c.Act != Identity {
			c.Y = l.again(u.out)
		}
		return c
	case graph.OpReLU, graph.OpReLU6, graph.OpSigmoid, graph.OpHardSwish, graph.OpSiLU:
		c := ActivateBackward{Len: l.size(u.out), DX: dx, DY: dy, Act: activation(n.Op), Accumulate: accumulate}
		if c.Act.FromInput() {
			c.X = l.again(in[j])
		} else {
			c.Y = l.again(u.out)
		}
		return c
	case graph.OpHardSigmoid, graph.OpClip:
		c := clamp(n, Clamp{})
		return ClampBackward{Len: l.size(u.out), DX: dx, DY: dy, Y: l.again(u.out), Alpha: c.Alpha, Low: c.Low, High: c.High, Accumulate: accumulate}
	case graph.OpMul:
		m := l.mul(u.head)
		if j == m.full {
			return Mul{N: m.n, Pixels: m.pixels, C: m.c, Y: dx, A: dy, B: l.again(in[m.gate]), Accumulate: accumulate}
		}
		return GateBackward{N: m.n, Pixels: m.pixels, C: m.c, DB: dx, DY: dy, A: l.again(in[m.full]), Accumulate: accumulate}
	case graph.OpConcat:
		at := 0
		for _, i := range in[:j] {
			at += l.g.Shape(i).C
		}
		c := l.g.Shape(in[j]).C
		return CopyChannels{Rows: l.rows(u.head), C: c, Y: dx, YC: c, X: dy, XC: l.g.Shape(u.head).C, XAt: at, Accumulate: accumulate}
	case graph.OpMaxPool:
		return MaxPoolBackward{Pool: l.pool(u.head), DX: dx, DY: dy, Y: l.again(u.out), X: l.again(in[j]), Accumulate: accumulate}
	case graph.OpAvgPool, graph.OpGlobalAvgPool:
		return AvgPoolBackward{Pool: l.pool(u.head), DX: dx, DY: dy, CountPad: countPad(n), Accumulate: accumulate}
	}
	panic("engine: no gradient of " + string(n.Op))
}

// backwardScale lists the gradients of y = γ·x + β: dβ = Σ dy, dγ = Σ dy·x and
// dx = γ·dy, over the whole batch as over one image.
func (l *lowering) backwardScale(i int, dy Buffer) {
	rows, c, name := l.rows(i), l.g.Shape(i).C, l.g.Node(i).Name
	l.call(BiasBackward{Rows: rows, C: c, DB: l.grads[name+".bias"], DY: dy}, i)
	l.call(GateBackward{N: 1, Pixels: rows, C: c, DB: l.grads[name+".weight"], DY: dy, A: l.again(l.g.Inputs(i)[0])}, i)
	if in := l.g.Inputs(i)[0]; l.source(in) != 0 {
		dx, accumulate := l.gradOf(in)
		l.call(Mul{N: 1, Pixels: rows, C: c, Y: dx, A: dy, B: l.params[name+".weight"], Accumulate: accumulate}, i)
	}
}
