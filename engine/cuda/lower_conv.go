package cuda

import "mdp/engine"

func (l *lowering) convForward(c engine.ConvForward) {
	if c.Depthwise() {
		launch(l, "depthwise_forward", flat(c.N*c.P*c.Q*c.K), l.forwardParams(c))
		return
	}
	launch(l, "conv_forward"+l.gemm, forwardGrid(c.Conv), l.forwardParams(c))
}

func (l *lowering) convBackwardData(c engine.ConvBackwardData) {
	if c.Depthwise() {
		launch(l, "depthwise_backward_data", flat(c.N*c.H*c.Conv.W*c.C), l.dataParams(c))
		return
	}
	launch(l, "conv_backward_data"+l.gemm, dataGrid(c.Conv), l.dataParams(c))
}

func (l *lowering) convBackwardFilter(c engine.ConvBackwardFilter) {
	if c.Depthwise() {
		at := pixels(c.Conv)
		g := at.grid()
		g[2] = int32(c.R * c.S)
		launch(l, "depthwise_backward_filter", g, depthwiseBackwardFilterParams{l.scratch, l.at(c.DY), l.at(c.X), convOf(c.Conv), at})
		l.sumPartials(l.at(c.DW), c.K*c.R*c.S, at.chunks())
		return
	}
	launch(l, "conv_backward_filter"+l.gemm, filterGrid(c.Conv), l.filterParams(c))
	l.sumFilterParts(c)
}

func (l *lowering) sumFilterParts(c engine.ConvBackwardFilter) {
	if parts := filterParts(c.Conv); parts > 1 {
		l.sumPartials(l.at(c.DW), c.K*c.R*c.S*(c.C/c.Groups), parts)
	}
}

func (l *lowering) forwardParams(c engine.ConvForward) convForwardParams {
	return convForwardParams{l.at(c.Y), l.at(c.X), l.at(c.W), l.at(c.B), l.at(c.Z), convOf(c.Conv), int32(c.Act)}
}

func (l *lowering) dataParams(c engine.ConvBackwardData) convBackwardDataParams {
	return convBackwardDataParams{l.at(c.DX), l.at(c.DY), l.at(c.W), convOf(c.Conv), boolean(c.Accumulate)}
}

// filterParams leave parts of the sum in the scratch memory, where there are some.
func (l *lowering) filterParams(c engine.ConvBackwardFilter) convBackwardFilterParams {
	parts, dw := filterParts(c.Conv), l.at(c.DW)
	if parts > 1 {
		dw = l.scratch
	}
	return convBackwardFilterParams{dw, l.at(c.DY), l.at(c.X), convOf(c.Conv), int32(parts), int32(filterChunk(c.Conv))}
}

func (l *lowering) mask(m Mask, list engine.Buffer) maskParams {
	return maskParams{l.at(list), int32(m.Chunk)}
}

// The grids of the tiled product in each direction; see kernels/conv_*.cu.

func forwardGrid(g engine.Conv) grid {
	return grid{int32(ceilDiv(g.N*g.P*g.Q, tile)), int32(ceilDiv(g.K/g.Groups, tile)), int32(g.Groups)}
}

func dataGrid(g engine.Conv) grid {
	phase := g.N * ceilDiv(g.H, g.Stride[0]) * ceilDiv(g.W, g.Stride[1]) // pixels of the largest
	return grid{int32(ceilDiv(phase, tile)), int32(ceilDiv(g.C/g.Groups, tile)), int32(g.Groups * g.Stride[0] * g.Stride[1])}
}

func filterGrid(g engine.Conv) grid {
	rsc := g.R * g.S * (g.C / g.Groups)
	return grid{int32(ceilDiv(rsc, tile)), int32(ceilDiv(g.K/g.Groups, tile)), int32(g.Groups * filterParts(g))}
}
