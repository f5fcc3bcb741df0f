package cpu

import (
	"math"

	"mdp/engine"
)

// channelsEach is how many channels' sums a worker combines at a time.
const channelsEach = 4

func channelPieces(c int) int { return (c + channelsEach - 1) / channelsEach }

// normalise is the pass that both forms of batch norm end with.
type normalise struct {
	folding
	*rows
	y, x, z                       []float32
	wideMean, wideScale, wideBeta []float32 // each channel's, for its columns of a wide row
	lo, hi                        float32
	past                          bool // what is written goes past the caches
}

func newNormalise(k *rows, f folding, a engine.Act, y, x, z []float32, scratch *[]float32) *normalise {
	o := &normalise{folding: f, rows: k, y: y, x: x, z: z}
	o.wideMean, o.wideScale, o.wideBeta = cut(scratch, f.width), cut(scratch, f.width), cut(scratch, f.width)
	o.lo, o.hi = bounds(a)
	o.past = f.past(y, x, z)
	return o
}

func (o *normalise) bind(y, x, z []float32) { o.y, o.x, o.z = y, x, z }

// parameters sets channel c's part of the wide rows.
func (o *normalise) parameters(c int, mean, scale, beta float32) {
	o.spread(o.wideMean, c, mean)
	o.spread(o.wideScale, c, scale)
	o.spread(o.wideBeta, c, beta)
}

func (o *normalise) do(_, i int) {
	i = o.chunks() - 1 - i // the chunks that the moments left in the cache come first
	y, x := o.of(o.y, i), o.of(o.x, i)
	switch z := o.of(o.z, i); {
	case z == nil && o.past:
		o.affinePast(y, x, o.wideMean, o.wideScale, o.wideBeta, o.lo, o.hi)
	case z == nil:
		o.affine(y, x, o.wideMean, o.wideScale, o.wideBeta, o.lo, o.hi)
	case o.past:
		o.affineAddPast(y, x, z, o.wideMean, o.wideScale, o.wideBeta, o.lo, o.hi)
	default:
		o.affineAdd(y, x, z, o.wideMean, o.wideScale, o.wideBeta, o.lo, o.hi)
	}
}

type batchNormAgain struct {
	*normalise
	gamma, beta, mean, invStd []float32
}

func newBatchNormAgain(k *rows, c engine.BatchNormAgain, of map[engine.Buffer][]float32, scratch []float32) op {
	n := newNormalise(k, fold(c.Rows, c.C), c.Act, of[c.Y], of[c.X], of[c.Z], &scratch)
	return &batchNormAgain{n, of[c.Gamma], of[c.Beta], of[c.Mean], of[c.InvStd]}
}

func (o *batchNormAgain) run(t *team) {
	for c, mean := range o.mean {
		o.parameters(c, mean, scaleOf(o.gamma[c], o.invStd[c]), o.beta[c])
	}
	t.run(o.normalise, o.chunks())
}

type batchNormInfer struct {
	*normalise
	gamma, beta, mean, variance []float32
	eps                         float64
}

func newBatchNormInfer(k *rows, c engine.BatchNormInfer, of map[engine.Buffer][]float32, scratch []float32) op {
	n := newNormalise(k, fold(c.Rows, c.C), c.Act, of[c.Y], of[c.X], of[c.Z], &scratch)
	return &batchNormInfer{n, of[c.Gamma], of[c.Beta], of[c.RunMean], of[c.RunVar], float64(c.Eps)}
}

func (o *batchNormInfer) run(t *team) {
	for c, mean := range o.mean {
		invStd := 1 / math.Sqrt(float64(o.variance[c])+o.eps)
		o.parameters(c, mean, float32(float64(o.gamma[c])*invStd), o.beta[c])
	}
	t.run(o.normalise, o.chunks())
}

// batchNormForward takes the moments of every chunk's columns about the chunk's
// first row, combines them in float64 to each channel's mean and variance, and
// normalises.
type batchNormForward struct {
	*normalise
	gamma, beta, runMean, runVar, mean, invStd []float32
	eps, momentum                              float64
	sum, sumSq                                 []float32 // partial

	meanOf    func(c int) float64               // of channel c
	squaresOf func(c int, mean float64) float64 // Σ (x − mean)²
}

func newBatchNormForward(k *rows, c engine.BatchNormForward, of map[engine.Buffer][]float32, scratch []float32) op {
	n := newNormalise(k, fold(c.Rows, c.C), c.Act, of[c.Y], of[c.X], of[c.Z], &scratch)
	o := &batchNormForward{normalise: n, sum: cut(&scratch, n.partials()), sumSq: cut(&scratch, n.partials())}
	o.bindStatistics(c, of, o.chunksMean, o.chunksSquares)
	return o
}

func (o *batchNormForward) bindStatistics(c engine.BatchNormForward, of map[engine.Buffer][]float32, mean func(int) float64, squares func(int, float64) float64) {
	o.gamma, o.beta, o.mean, o.invStd = of[c.Gamma], of[c.Beta], of[c.Mean], of[c.InvStd]
	o.runMean, o.runVar = of[c.RunMean], of[c.RunVar]
	o.eps, o.momentum = float64(c.Eps), float64(c.Momentum)
	o.meanOf, o.squaresOf = mean, squares
}

func (o *batchNormForward) chunksMean(c int) float64 {
	return o.shifted(o.sum, o.x, c) / float64(o.len/o.c)
}
func (o *batchNormForward) chunksSquares(c int, mean float64) float64 {
	return o.squares(o.sum, o.sumSq, o.x, c, mean)
}

func (o *batchNormForward) run(t *team) {
	t.run((*batchNormMoments)(o), o.chunks())
	t.run((*batchNormStatistics)(o), channelPieces(o.c))
	if o.y != nil {
		t.run(o.normalise, o.chunks())
	}
}

type batchNormMoments batchNormForward

func (o *batchNormMoments) do(_, i int) {
	sum, sumSq := o.sums(o.sum, i), o.sums(o.sumSq, i)
	clear(sum)
	clear(sumSq)
	o.moments(sum, sumSq, o.of(o.x, i))
}

type batchNormStatistics batchNormForward

func (o *batchNormStatistics) do(_, i int) {
	n := float64(o.len / o.c)
	for c := i * channelsEach; c < min(o.c, (i+1)*channelsEach); c++ {
		mean := o.meanOf(c)
		variance := o.squaresOf(c, mean) / n
		invStd := 1 / math.Sqrt(variance+o.eps)
		unbiased := variance
		if n > 1 {
			unbiased = variance * n / (n - 1)
		}
		o.mean[c] = float32(mean)
		o.invStd[c] = float32(invStd)
		o.runMean[c] = float32((1-o.momentum)*float64(o.runMean[c]) + o.momentum*mean)
		o.runVar[c] = float32((1-o.momentum)*float64(o.runVar[c]) + o.momentum*unbiased)
		o.parameters(c, float32(mean), scaleOf(o.gamma[c], o.invStd[c]), o.beta[c])
	}
}

// scaleOf is γ·invstd, the same to the bit forward and backward.
func scaleOf(gamma, invStd float32) float32 { return gamma * invStd }

// batchNormBackward sums dβ and Σ g·(x − mean) over every chunk's columns,
// combines them in float64, and makes dx of what is left of g.
type batchNormBackward struct {
	folding
	*rows
	dx, dz, dGamma, dBeta, signed             []float32
	dy, y, x, gamma, beta, mean, invStd       []float32
	wideMean, wideScale, wideShift, wideSlope []float32
	wideBeta                                  []float32 // where y is computed again
	sumG, sumGX                               []float32 // partial
	sumOf                                     func(c int) (sumG, sumGX float64)
	lo, hi                                    float32
	accumulate, past                          bool
}

func batchNormBackwardWorkspace(c engine.BatchNormBackward) int {
	return 2*fold(c.Rows, c.C).partials() + 5*fold(c.Rows, c.C).width
}

func newBatchNormBackward(k *rows, c engine.BatchNormBackward, of map[engine.Buffer][]float32, scratch *[]float32) *batchNormBackward {
	f := fold(c.Rows, c.C)
	o := &batchNormBackward{folding: f, rows: k,
		dx: of[c.DX], dz: of[c.DZ], dGamma: of[c.DGamma], dBeta: of[c.DBeta], signed: of[c.Signed],
		dy: of[c.DY], y: gated(c.Act, of[c.Y], of[c.DY]), x: of[c.X],
		gamma: of[c.Gamma], beta: of[c.Beta], mean: of[c.Mean], invStd: of[c.InvStd], accumulate: c.AccumulateZ}
	o.wideMean, o.wideScale = cut(scratch, f.width), cut(scratch, f.width)
	o.wideShift, o.wideSlope = cut(scratch, f.width), cut(scratch, f.width)
	o.sumG, o.sumGX = cut(scratch, f.partials()), cut(scratch, f.partials())
	o.sumOf = func(c int) (float64, float64) { return o.total(o.sumG, c), o.total(o.sumGX, c) }
	if c.Act != engine.Identity && c.Y == engine.None {
		o.wideBeta = cut(scratch, f.width)
	}
	o.lo, o.hi = gate(c.Act)
	o.past = f.past(o.dz, o.dx, o.y, o.x)
	return o
}

func (o *batchNormBackward) run(t *team) {
	o.parameters()
	t.run((*batchNormGradients)(o), o.chunks())
	o.finish(t)
}

// parameters sets what the sums take.
func (o *batchNormBackward) parameters() {
	for c, mean := range o.mean {
		o.spread(o.wideMean, c, mean)
		o.spread(o.wideScale, c, scaleOf(o.gamma[c], o.invStd[c]))
		o.spread(o.wideBeta, c, o.beta[c])
	}
}

// finish makes dx, and the rest, of the sums.
func (o *batchNormBackward) finish(t *team) {
	t.run((*batchNormParameters)(o), channelPieces(o.c))
	t.run((*batchNormInput)(o), o.chunks())
}

type batchNormGradients batchNormBackward

func (o *batchNormGradients) do(_, i int) {
	sumG, sumGX := o.sums(o.sumG, i), o.sums(o.sumGX, i)
	clear(sumG)
	clear(sumGX)
	if o.wideBeta != nil {
		o.gradientsOf(sumG, sumGX, o.of(o.dy, i), o.of(o.x, i), o.wideMean, o.wideScale, o.wideBeta, o.lo, o.hi)
		return
	}
	o.gradients(sumG, sumGX, o.of(o.dy, i), o.of(o.y, i), o.of(o.x, i), o.wideMean, o.lo, o.hi)
}

type batchNormParameters batchNormBackward

func (o *batchNormParameters) do(_, i int) {
	n := float64(o.len / o.c)
	for c := i * channelsEach; c < min(o.c, (i+1)*channelsEach); c++ {
		gamma, invStd := float64(o.gamma[c]), float64(o.invStd[c])
		dBeta, dGamma := o.sumOf(c)
		dGamma *= invStd
		o.dBeta[c], o.dGamma[c] = float32(dBeta), float32(dGamma)
		if o.signed != nil {
			o.signed[c] = float32(gamma*dGamma + float64(o.beta[c])*dBeta)
		}
		o.spread(o.wideShift, c, float32(dBeta/n))
		o.spread(o.wideSlope, c, float32(invStd*dGamma/n))
	}
}

type batchNormInput batchNormBackward

func (o *batchNormInput) do(_, i int) {
	i = o.chunks() - 1 - i // as in normalise
	dx, dy, y, x := o.of(o.dx, i), o.of(o.dy, i), o.of(o.y, i), o.of(o.x, i)
	switch {
	case o.wideBeta != nil:
		o.inputOf(dx, dy, x, o.wideMean, o.wideScale, o.wideBeta, o.wideShift, o.wideSlope, o.lo, o.hi)
	case o.dz == nil:
		o.input(dx, dy, y, x, o.wideMean, o.wideScale, o.wideShift, o.wideSlope, o.lo, o.hi)
	case o.accumulate:
		o.inputAdd(dx, o.of(o.dz, i), dy, y, x, o.wideMean, o.wideScale, o.wideShift, o.wideSlope, o.lo, o.hi)
	case o.past:
		o.inputCopyPast(dx, o.of(o.dz, i), dy, y, x, o.wideMean, o.wideScale, o.wideShift, o.wideSlope, o.lo, o.hi)
	default:
		o.inputCopy(dx, o.of(o.dz, i), dy, y, x, o.wideMean, o.wideScale, o.wideShift, o.wideSlope, o.lo, o.hi)
	}
}

// biasBackward sums columns as batch norm's first pass does.
type biasBackward struct {
	folding
	*rows
	db, dy     []float32
	sum, sumSq []float32 // partial
}

func newBiasBackward(k *rows, c engine.BiasBackward, db, dy, scratch []float32) op {
	f := fold(c.Rows, c.C)
	return &biasBackward{f, k, db, dy, cut(&scratch, f.partials()), cut(&scratch, f.partials())}
}

func (o *biasBackward) run(t *team) {
	t.run(o, o.chunks())
	for c := range o.db {
		o.db[c] = float32(o.shifted(o.sum, o.dy, c))
	}
}

func (o *biasBackward) do(_, i int) {
	sum, sumSq := o.sums(o.sum, i), o.sums(o.sumSq, i)
	clear(sum)
	clear(sumSq)
	o.moments(sum, sumSq, o.of(o.dy, i))
}
