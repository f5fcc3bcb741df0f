package engine

import "mdp/engine/graph"

// forward lists the calls that compute every node's value, and the loss.
func (l *lowering) forward() {
	at := 0
	for i := 1; i < l.g.Len(); i++ {
		switch l.g.Node(i).Op {
		case graph.OpFlatten:
			l.value[i] = l.value[l.source(i)]
			continue
		case graph.OpSoftmaxLoss:
			l.forwardLoss(i)
			continue
		}
		if at < len(l.units) && l.units[at].out == i {
			l.forwardUnit(l.units[at])
			at++
		}
	}
}

func (l *lowering) forwardUnit(u unit) {
	n, in := l.g.Node(u.head), l.g.Inputs(u.head)
	x, norm := l.input(in[0])
	var y Buffer
	if l.unwritten(u) {
		l.statistics(u, x)
		return
	}
	if l.source(u.out) == l.source(l.logits) {
		y = l.fix(l.activation(u.out)) // the host reads it
	} else {
		y = l.moving(l.activation(u.out))
	}
	l.value[u.out] = y
	z := None
	if u.addend >= 0 {
		z = l.value[u.addend]
	}
	var c Call
	switch n.Op {
	case graph.OpConv2D, graph.OpLinear:
		f := ConvForward{Conv: l.conv(u.head), Y: y, X: x, W: l.param(u.head, ".weight"), B: l.param(u.head, ".bias"), Z: z, XNorm: norm, Act: u.act}
		c = f
		if m, ok := l.mask(u); ok {
			c = MaskedConvForward{ConvForward: f, Mask: m}
		}
	case graph.OpBatchNorm:
		c = l.batchNorm(u, y, x, z)
	case graph.OpAdd:
		c = Add{Len: l.size(u.out), Y: y, A: x, B: l.value[in[1]], Act: u.act}
	case graph.OpConcat:
		l.forwardConcat(u, y)
		return
	case graph.OpMul:
		m := l.mul(u.head)
		c = Mul{N: m.n, Pixels: m.pixels, C: m.c, Y: y, A: l.value[in[m.full]], B: l.value[in[m.gate]]}
	case graph.OpScale:
		c = Scale{Rows: l.rows(u.head), C: l.g.Shape(u.head).C, Y: y, X: x, Gamma: l.param(u.head, ".weight"), Beta: l.param(u.head, ".bias")}
	case graph.OpHardSigmoid, graph.OpClip:
		c = clamp(n, Clamp{Len: l.size(u.out), Y: y, X: x})
	case graph.OpSoftmax:
		c = Softmax{Rows: l.rows(u.head), C: l.g.Shape(u.head).C, Y: y, X: x}
	case graph.OpReLU, graph.OpReLU6, graph.OpSigmoid, graph.OpHardSwish, graph.OpSiLU:
		c = Activate{Len: l.size(u.out), Y: y, X: x, Act: activation(n.Op)}
	case graph.OpMaxPool:
		c = MaxPoolForward{Pool: l.pool(u.head), Y: y, X: x}
	case graph.OpAvgPool, graph.OpGlobalAvgPool:
		c = AvgPoolForward{Pool: l.pool(u.head), Y: y, X: x, CountPad: countPad(n)}
	}
	l.call(c, u.nodes...)
}

// source is the node whose value node i shows: its own, or a flatten's input's.
func (l *lowering) source(i int) int {
	for l.g.Node(i).Op == graph.OpFlatten {
		i = l.g.Inputs(i)[0]
	}
	return i
}

func (l *lowering) batchNorm(u unit, y, x, z Buffer) Call {
	i, bn := u.head, l.g.Node(u.head).BatchNorm
	gamma, beta := l.param(i, ".weight"), l.param(i, ".bias")
	runMean, runVar := l.param(i, ".running_mean"), l.param(i, ".running_var")
	rows, c := l.rows(i), l.g.Shape(i).C
	if l.o.Mode == Infer {
		return BatchNormInfer{Rows: rows, C: c, Y: y, X: x, Z: z, Gamma: gamma, Beta: beta,
			RunMean: runMean, RunVar: runVar, Eps: float32(bn.Eps), Act: u.act}
	}
	l.mean[i], l.invstd[i] = l.transient(c), l.transient(c)
	return BatchNormForward{Rows: rows, C: c, Y: y, X: x, Z: z, Gamma: gamma, Beta: beta,
		RunMean: runMean, RunVar: runVar, Mean: l.mean[i], InvStd: l.invstd[i],
		Eps: float32(bn.Eps), Momentum: float32(bn.Momentum), Act: u.act}
}

func (l *lowering) forwardLoss(i int) {
	x := l.logits
	l.labels, l.metrics = l.permanent(l.o.Batch), l.permanent(3)
	c := SoftmaxLoss{N: l.o.Batch, C: l.g.Shape(x).C, Metrics: l.metrics, X: l.value[x], Labels: l.labels,
		Smoothing: float32(l.g.Node(i).SoftmaxLoss.LabelSmoothing)}
	if l.o.Mode == Train {
		c.DX, _ = l.gradOf(x)
		c.Scale = l.scale
	}
	l.call(c, i)
	l.history = l.permanent(3*Recorded + 1)
	l.call(Record{Steps: Recorded, History: l.history, Metrics: l.metrics}, i)
}

// mask of a unit's convolution, where it has one.
func (l *lowering) mask(u unit) (Mask, bool) {
	if l.o.MaskChunk == 0 || l.conv(u.head).Groups > 1 {
		return Mask{}, false
	}
	return Mask{Chunk: l.o.MaskChunk, In: l.list(l.g.Inputs(u.head)[0]), Out: l.list(u.out)}, true
}

// list is the buffer that says which chunks of node i's channels are on.
func (l *lowering) list(i int) Buffer {
	if l.lists[i] == None {
		l.lists[i] = l.permanent(1 + (l.g.Shape(i).C+l.o.MaskChunk-1)/l.o.MaskChunk)
	}
	return l.lists[i]
}

// loadImages lists how the image is made, where it comes as bytes.
func (l *lowering) loadImages() {
	if l.o.Bytes == nil {
		return
	}
	s, n := l.g.Shape(0), l.o.Batch
	l.bytes = LoadImages{N: n, H: s.H, W: s.W, C: s.C, Y: l.value[0],
		Pixels: l.permanent((n*s.Size() + 3) / 4), Moves: l.permanent(3 * n), Mean: l.permanent(s.C), Scale: l.permanent(s.C)}
	l.call(l.bytes, 0)
}

// conv is the geometry of a convolution or, as a 1×1 image, of a linear layer.
func (l *lowering) conv(i int) Conv {
	in, out := l.g.Shape(l.g.Inputs(i)[0]), l.g.Shape(i)
	one := [2]int{1, 1}
	if c := l.g.Node(i).Conv2D; c != nil {
		return Conv{N: l.o.Batch, H: in.H, W: in.W, C: in.C, K: out.C, R: c.Kernel[0], S: c.Kernel[1], P: out.H, Q: out.W,
			Stride: c.Stride, Pad: [2]int{c.Pad[0], c.Pad[1]}, Dilation: c.Dilation, Groups: c.Groups}
	}
	return Conv{N: l.o.Batch, H: 1, W: 1, C: in.C, K: out.C, R: 1, S: 1, P: 1, Q: 1, Stride: one, Dilation: one, Groups: 1}
}

// pool is a window's geometry; the global average's window is the image.
func (l *lowering) pool(i int) Pool {
	in, out := l.g.Shape(l.g.Inputs(i)[0]), l.g.Shape(i)
	p := Pool{N: l.o.Batch, H: in.H, W: in.W, C: in.C, R: in.H, S: in.W, P: out.H, Q: out.W, Stride: [2]int{1, 1}}
	if a := l.g.Node(i).Pool; a != nil {
		p.R, p.S, p.Stride, p.Pad = a.Kernel[0], a.Kernel[1], a.Stride, [2]int{a.Pad[0], a.Pad[1]}
	}
	return p
}

func countPad(n graph.Node) bool { return n.Pool != nil && n.Pool.CountPad }
