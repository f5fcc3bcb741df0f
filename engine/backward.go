package engine

import (
	"fmt"

	"mdp/engine/graph"
)

// gradOf is the buffer of the gradient of node i's value, and whether something
// was already written to it, so that the next contribution must add. A flatten
// shares its input's gradient as it shares its value.
func (l *lowering) gradOf(i int) (b Buffer, accumulate bool) {
	i = l.source(i)
	if l.grad[i] != None {
		return l.grad[i], true
	}
	l.grad[i] = l.moving(l.activation(i))
	return l.grad[i], false
}

// backward lists the gradients of every unit, last unit first.
func (l *lowering) backward() {
	l.forget()
	for k := len(l.units) - 1; k >= 0; k-- {
		l.backwardUnit(l.units[k])
	}
}

func (l *lowering) backwardUnit(u unit) {
	dy, ok := l.gradOf(u.out)
	if !ok {
		panic("engine: gradient of " + l.g.Node(u.out).Name + " is read before it is written")
	}
	n, in := l.g.Node(u.head), l.g.Inputs(u.head)
	switch n.Op {
	case graph.OpConv2D, graph.OpLinear:
		l.backwardConv(u, dy)
		return
	case graph.OpBatchNorm:
		l.backwardBatchNorm(u, dy)
		return
	case graph.OpScale:
		l.backwardScale(u.head, dy)
		return
	}
	for j, i := range in {
		if l.source(i) == 0 {
			continue // nobody asks for the image's gradient
		}
		dx, accumulate := l.gradOf(i)
		l.call(l.backwardInput(u, j, dx, dy, accumulate), u.nodes...)
	}
}

func (l *lowering) backwardConv(u unit, dy Buffer) {
	i := u.head
	x, norm := l.input(l.g.Inputs(i)[0])
	g, name := l.conv(i), l.g.Node(i).Name
	mask, masked := l.mask(u)
	if db := l.grads[name+".bias"]; db != None {
		l.call(BiasBackward{Rows: l.rows(i), C: g.K, DB: db, DY: dy}, i)
	}
	w, dw := l.params[name+".weight"], l.grads[name+".weight"]
	if f := (ConvBackwardFilter{Conv: g, DW: dw, DY: dy, X: x, XNorm: norm}); masked {
		l.call(MaskedConvBackwardFilter{f, mask}, i)
	} else {
		l.call(f, i)
	}
	if _, ok := l.signed[name]; ok {
		l.signed[name] = l.transient(g.K)
		l.call(FilterTaylor{K: g.K, Len: g.filter() / g.K, Signed: l.signed[name], W: w, DW: dw}, i)
	}
	if in := l.g.Inputs(i)[0]; l.source(in) != 0 {
		dx, accumulate := l.gradOf(in)
		if d := (ConvBackwardData{Conv: g, DX: dx, DY: dy, W: w, Accumulate: accumulate}); masked {
			l.call(MaskedConvBackwardData{d, mask}, i)
		} else {
			l.call(d, i)
		}
	}
}

func (l *lowering) backwardBatchNorm(u unit, dy Buffer) {
	i, name := u.head, l.g.Node(u.head).Name
	c := BatchNormBackward{Rows: l.rows(i), C: l.g.Shape(i).C, DY: dy, X: l.again(l.g.Inputs(i)[0]),
		DGamma: l.grads[name+".weight"], DBeta: l.grads[name+".bias"],
		Gamma: l.params[name+".weight"], Beta: l.params[name+".bias"],
		Mean: l.mean[i], InvStd: l.invstd[i], Act: u.act}
	if u.addend >= 0 && l.source(u.addend) != 0 {
		c.DZ, c.AccumulateZ = l.gradOf(u.addend)
	}
	if _, ok := l.signed[name]; ok {
		c.Signed = l.transient(c.C)
		l.signed[name] = c.Signed
	}
	if u.act != Identity && (u.addend >= 0 || l.b.Supports(c) != nil) {
		c.Y = l.again(u.out)
	}
	in := l.source(l.g.Inputs(i)[0])
	if here := c; l.grad[in] == None {
		if here.DX = dy; l.b.Supports(here) == nil {
			l.grad[in] = dy // which nobody reads after this
			l.call(here, u.nodes...)
			return
		}
	}
	dx, accumulate := l.gradOf(in)
	c.DX = dx
	if accumulate {
		c.DX = l.moving(l.activation(i))
	}
	l.call(c, u.nodes...)
	if accumulate {
		l.call(ActivateBackward{Len: l.size(i), DX: dx, DY: c.DX, Accumulate: true}, u.nodes...)
	}
}

// scores lists the Taylor importance of each group that was asked for.
func (l *lowering) scores() error {
	for _, members := range l.o.Score {
		c := Importance{Scale: l.scale}
		for _, m := range members {
			signed := l.signed[m]
			if signed == None {
				return fmt.Errorf("score: %q is not a batch norm, convolution or linear layer of the graph", m)
			}
			n := l.spans[signed].Len
			if c.C != 0 && c.C != n {
				return fmt.Errorf("score: %q has %d channels, its group has %d", m, n, c.C)
			}
			if l.score[m] != None {
				return fmt.Errorf("score: %q is in two groups", m)
			}
			c.C = n
			l.score[m] = l.permanent(n)
			c.Score, c.Signed = append(c.Score, l.score[m]), append(c.Signed, signed)
		}
		if c.C > 0 {
			l.call(c)
		}
	}
	return nil
}

// update lists the optimiser. Where channels are masked, what has a gradient all the
// same loses it before.
func (l *lowering) update() {
	if l.o.MaskChunk > 0 {
		for _, p := range l.g.Params() {
			dw := l.grads[p.Name]
			if filter := p.Role == graph.RoleFilter; dw == None || filter && l.conv(p.Node).Groups == 1 {
				continue
			}
			l.call(MaskFilter{K: p.Shape[0], RS: p.Size() / p.Shape[0], C: 1, Filter: dw, Mask: Mask{Chunk: l.o.MaskChunk, Out: l.list(p.Node)}}, p.Node)
		}
	}
	l.hyper = l.permanent(3)
	if l.sgd.Len > 0 {
		l.sgd.Hyper, l.sgd.Scale, l.sgd.Nesterov = l.hyper, l.scale, l.o.Nesterov
		l.call(l.sgd)
	}
}
