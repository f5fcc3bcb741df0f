package cuda

import "mdp/engine"

func (l *lowering) convForward(c engine.ConvForward) {
	if c.Depthwise() {
		launch(l, "depthwise_forward"+l.in, flat(c.N*c.P*c.Q*c.K), l.forwardParams(c))
		return
	}
	launchGemm(l, "conv_forward", forwardProduct(l.padded(c.Conv)), l.paddedForward(c))
}

func (l *lowering) convBackwardData(c engine.ConvBackwardData) {
	if c.Depthwise() {
		launch(l, "depthwise_backward_data"+l.in, flat(c.N*c.H*c.Conv.W*c.C), l.dataParams(c))
		return
	}
	launchGemm(l, "conv_backward_data", dataProduct(c.Conv), l.dataParams(c))
}

func (l *lowering) convBackwardFilter(c engine.ConvBackwardFilter) {
	if c.Depthwise() {
		at := pixels(c.Conv)
		g := at.grid()
		g[2] = int32(c.R * c.S)
		launch(l, "depthwise_backward_filter"+l.in, g, depthwiseBackwardFilterParams{l.scratch, l.at(c.DY), l.at(c.X), convOf(c.Conv), at})
		l.sumPartials(l.at(c.DW), c.K*c.R*c.S, at.chunks())
		return
	}
	l.filterGradient(c, func(p product, o convBackwardFilterParams) { launchGemm(l, "conv_backward_filter", p, o) })
}

// filterGradient starts what computes the parts of a weight gradient, of padded channels
// where it has such, and adds them up.
func (l *lowering) filterGradient(c engine.ConvBackwardFilter, start func(product, convBackwardFilterParams)) {
	g := l.padded(c.Conv)
	if g == c.Conv {
		start(filterProduct(g), l.filterParams(c))
		l.sumFilterParts(c)
		return
	}
	parts, x := l.parts(g), l.pad(l.in, l.at(c.X), c.N*c.H*c.W, c.C, g.C)
	start(filterProduct(g), convBackwardFilterParams{l.scratch, l.at(c.DY), x, convOf(g), int32(parts), int32(ceilDiv(c.N*c.P*c.Q, parts)), 0})
	l.sumSome(l.at(c.DW), filterLen(g), parts, c.C, g.C)
}

func (l *lowering) sumFilterParts(c engine.ConvBackwardFilter) {
	if parts := l.parts(c.Conv); parts > 1 && !l.atomics {
		l.sumPartials(l.at(c.DW), filterLen(c.Conv), parts)
	}
}

// parts of a weight gradient's sums.
func (l *lowering) parts(g engine.Conv) int {
	p := filterProduct(g)
	return p.parts(l.choose(p))
}

// padded has channels in fours, for no copy ahead brings a single one of 16 bits.
func padded(g engine.Conv, v Variant, narrow bool) engine.Conv {
	if narrow && g.Groups == 1 && v != Tiled {
		g.C = 4 * ceilDiv(g.C, 4)
	}
	return g
}

func (l *lowering) padded(g engine.Conv) engine.Conv { return padded(g, l.variant, l.narrow()) }

// pad copies rows of c elements, of memory as it is named, to rows of d in the scratch memory.
func (l *lowering) pad(in string, x pointer, rows, c, d int) pointer {
	y := l.scratch
	launch(l, "pad_channels"+in, flat(rows), padChannelsParams{y, x, int64(rows), int32(c), int32(d)})
	l.scratch = y.Offset(paddedWords(rows*d, in != ""))
	return y
}

// paddedWords is the room of n elements, which leaves what follows on 16 bytes.
func paddedWords(n int, narrow bool) int {
	if narrow {
		return narrowWords(n)
	}
	return 4 * ceilDiv(n, 4)
}

// paddedForward is of the convolution's padded channels, where it has such.
func (l *lowering) paddedForward(c engine.ConvForward) convForwardParams {
	g := l.padded(c.Conv)
	if g == c.Conv {
		return l.forwardParams(c)
	}
	x, w := l.pad(l.in, l.at(c.X), c.N*c.H*c.Conv.W, c.C, g.C), l.pad("", l.at(c.W), c.K*c.R*c.S, c.C, g.C)
	return convForwardParams{l.at(c.Y), x, w, l.at(c.B), l.at(c.Z), convOf(g), int32(c.Act)}
}

func (l *lowering) forwardParams(c engine.ConvForward) convForwardParams {
	return convForwardParams{l.at(c.Y), l.at(c.X), l.filter(c.W, forwardProduct(c.Conv), filterLen(c.Conv)), l.at(c.B), l.at(c.Z), convOf(c.Conv), int32(c.Act)}
}

func (l *lowering) dataParams(c engine.ConvBackwardData) convBackwardDataParams {
	return convBackwardDataParams{l.at(c.DX), l.at(c.DY), l.filter(c.W, dataProduct(c.Conv), filterLen(c.Conv)), convOf(c.Conv), boolean(c.Accumulate)}
}

// filterParams leave parts of the sum in the scratch memory, where there are some, or
// add them to zeros where atomics are allowed.
func (l *lowering) filterParams(c engine.ConvBackwardFilter) convBackwardFilterParams {
	parts, dw := l.parts(c.Conv), l.at(c.DW)
	atomics := l.atomics && parts > 1
	if n := filterLen(c.Conv); atomics {
		launch(l, "zero", packs(n), zeroParams{dw, int64(n)})
	} else if parts > 1 {
		dw = l.scratch
	}
	return convBackwardFilterParams{dw, l.at(c.DY), l.at(c.X), convOf(c.Conv), int32(parts), int32(ceilDiv(c.N*c.P*c.Q, parts)), boolean(atomics)}
}

func filterLen(g engine.Conv) int { return g.K * g.R * g.S * (g.C / g.Groups) }

func (l *lowering) mask(m engine.Mask, list engine.Buffer) maskParams {
	return maskParams{l.at(list), int32(m.Chunk)}
}
