package cuda

import "mdp/engine"

func (l *lowering) convForward(c engine.ConvForward) {
	if c.Depthwise() {
		launch(l, "depthwise_forward"+l.in, flat(c.N*c.P*c.Q*c.K), l.forwardParams(c))
		return
	}
	launchGemm(l, "conv_forward", forwardProduct(c.Conv), l.forwardParams(c))
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
	launchGemm(l, "conv_backward_filter", filterProduct(c.Conv), l.filterParams(c))
	l.sumFilterParts(c)
}

func (l *lowering) sumFilterParts(c engine.ConvBackwardFilter) {
	if parts := l.parts(c); parts > 1 && !l.atomics {
		l.sumPartials(l.at(c.DW), filterLen(c.Conv), parts)
	}
}

// parts of a weight gradient's sums.
func (l *lowering) parts(c engine.ConvBackwardFilter) int {
	p := filterProduct(c.Conv)
	return p.parts(l.choose(p))
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
	parts, dw := l.parts(c), l.at(c.DW)
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
