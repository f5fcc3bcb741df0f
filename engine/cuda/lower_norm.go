package cuda

import "mdp/engine"

func (l *lowering) batchNormForward(c engine.BatchNormForward) {
	at := sumsOf(c.Rows, c.C)
	launch(l, "batch_norm_moments"+l.in, at.grid(), batchNormMomentsParams{l.scratch, l.at(c.X), at})
	l.normalise(c, runsOf(l.scratch, c.Rows, c.C, int(at.Chunk)))
}

// convBatchNorm has the convolution leave the moments of its tiles, many of which
// become few.
func (l *lowering) convBatchNorm(c engine.ConvBatchNorm) {
	p := forwardProduct(l.padded(c.Conv))
	gemm := l.choose(p)
	forward := l.paddedForward(c.ConvForward) // whose filter may lie before the moments
	runs := runsOf(l.scratch, c.Norm.Rows, c.K, gemm.rows)
	launchGemm(l, "conv_moments", p, convMomentsParams{forward, l.scratch})
	if chunks := runs.At.chunks(); chunks > 1 {
		merged := l.scratch.Offset(3 * int(runs.At.Rows) * c.K)
		launch(l, "batch_norm_merge", runs.At.grid(), batchNormMergeParams{merged, runs})
		runs = runsOf(merged, c.Norm.Rows, c.K, int(runs.At.Chunk)*int(runs.Run))
	}
	l.normalise(c.Norm, runs)
}

// runsOf is the moments of so many rows of c columns, in runs of a length.
func runsOf(partial pointer, rows, c, run int) runsParams {
	return runsParams{partial, fewOf(ceilDiv(rows, run), c), int32(rows), int32(run)}
}

// momentsLen is the workspace that convBatchNorm wants, with the smallest tiles.
func momentsLen(c engine.ConvBatchNorm) int {
	tiles := ceilDiv(c.Norm.Rows, tile)
	n := 3 * tiles * c.K
	if chunks := fewOf(tiles, c.K).chunks(); chunks > 1 {
		n += 3 * chunks * c.K
	}
	return n
}

// normalise makes y of x and its moments.
func (l *lowering) normalise(c engine.BatchNormForward, runs runsParams) {
	runs.At = whole(runs.At)
	launch(l, "batch_norm_statistics", runs.At.grid(), batchNormStatisticsParams{l.at(c.Mean), l.at(c.InvStd), l.at(c.RunMean), l.at(c.RunVar),
		runs, c.Eps, c.Momentum})
	l.batchNormAgain(engine.BatchNormAgain{Rows: c.Rows, C: c.C, Y: c.Y, X: c.X, Z: c.Z, Gamma: c.Gamma, Beta: c.Beta, Mean: c.Mean, InvStd: c.InvStd, Act: c.Act})
}

func (l *lowering) batchNormAgain(c engine.BatchNormAgain) {
	at := mapOf(c.Rows, c.C)
	launch(l, "batch_norm_apply"+l.in, at.grid(), batchNormApplyParams{l.at(c.Y), l.at(c.X), l.at(c.Z),
		l.at(c.Gamma), l.at(c.Beta), l.at(c.Mean), l.at(c.InvStd), at, int32(c.Act)})
}

func (l *lowering) batchNormBackward(c engine.BatchNormBackward) {
	at := sumsOf(c.Rows, c.C)
	one := at.partials()
	y := l.at(c.Y)
	if c.Act == engine.Identity {
		y = 0
	}
	launch(l, "batch_norm_sums"+l.in, at.grid(), batchNormSumsParams{l.scratch, l.at(c.DY), y, l.at(c.X), l.at(c.Gamma), l.at(c.Beta), l.at(c.Mean), l.at(c.InvStd), at, int32(c.Act)})
	launch(l, "batch_norm_gradients", one.grid(), batchNormGradientsParams{l.at(c.DGamma), l.at(c.DBeta), l.at(c.Signed),
		l.scratch, l.at(c.Gamma), l.at(c.Beta), l.at(c.InvStd), one})
	at = mapOf(c.Rows, c.C)
	launch(l, "batch_norm_input"+l.in, at.grid(), batchNormInputParams{l.at(c.DX), l.at(c.DZ), l.at(c.DY), y, l.at(c.X),
		l.at(c.Gamma), l.at(c.Beta), l.at(c.Mean), l.at(c.InvStd), l.at(c.DGamma), l.at(c.DBeta), at, int32(c.Act), boolean(c.AccumulateZ)})
}
