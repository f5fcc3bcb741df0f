package cpu

import "mdp/engine"

// convBackwardBatchNorm is the op of ConvBackwardBatchNorm: batch norm's sums are taken
// of every panel of a block of gradients, while it is in the cache.
type convBackwardBatchNorm struct {
	conv op
	*batchNormBackward
}

func (o *convBackwardBatchNorm) run(t *team) {
	o.parameters()
	o.conv.run(t)
	o.finish(t)
}

// tileGradients are batch norm's sums: for each task and channel.
type tileGradients struct {
	*batchNormBackward
	tasks      int
	sumG, sumX []float32 // rows of c, one for each task
}

func newConvBackwardBatchNorm(i isa, c engine.ConvBackwardBatchNorm, of map[engine.Buffer][]float32, ws []float32, workers int) op {
	o := &correlate{parts: steady(backwardParts(i, c.Conv, workers), workers), out: of[c.DX], in: of[c.DY], w: of[c.W], epilogue: epilogue{nil, nil, negInf, posInf}}
	if c.Accumulate {
		o.epilogue.z = of[c.DX]
	}
	p := &o.parts[0]
	bn := newBatchNormBackward(rowsFor(i), c.Norm, of, &ws)
	g := &tileGradients{batchNormBackward: bn, tasks: ceil(p.blocks(), p.group)}
	g.sumG, g.sumX = cut(&ws, line(g.tasks*c.C)), cut(&ws, line(g.tasks*c.C))
	bn.sumOf, p.sums = g.of, g
	return &convBackwardBatchNorm{o.init(ws, workers), bn}
}

func gradientsWorkspace(i isa, c engine.ConvBackwardBatchNorm, workers int) int {
	parts := steady(backwardParts(i, c.Conv, workers), workers)
	tasks := ceil(parts[0].blocks(), parts[0].group)
	return batchNormBackwardWorkspace(c.Norm) + 2*line(tasks*c.C) + partsWorkspace(i, parts, workers)
}

// deepSum is how many products a sum of a convolution has at least that leaves batch
// norm's sums: with fewer it is bound by memory itself, and nothing is won.
const deepSum = 64

// supportsGradients says which convolutions leave batch norm's sums.
func (b *Backend) supportsGradients(c engine.ConvBackwardBatchNorm) bool {
	if c.Depthwise() {
		return convKernelsOf(b.isa.float32()).walkGradients != nil && c.Norm.DX == c.DX && c.Norm.DZ == engine.None && c.Norm.Y == engine.None && b.Supports(c.Norm) == nil
	}
	if c.Groups != 1 || c.K*c.R*c.S < deepSum || b.isa.precision() != FP32 || b.Supports(c.Norm) != nil {
		return false
	}
	parts := backwardParts(b.isa, c.Conv, 1)
	return len(parts) == 1 && !parts[0].suits()
}

func (g *tileGradients) start(task, from, to, _ int) {
	i, n := task*g.c+from, to-from
	clear(g.sumG[i:][:n])
	clear(g.sumX[i:][:n])
}

func (g *tileGradients) add(task, from, to, at, pixels, stride int) {
	i, n := task*g.c+from, to-from
	sumG, sumX, dy, x := g.sumG[i:][:n], g.sumX[i:][:n], g.dy[at:], g.x[at:]
	if g.wideBeta != nil {
		g.columnGradientsOf(sumG, sumX, g.wideMean[from:], g.wideScale[from:], g.wideBeta[from:], dy, x, pixels, stride, g.lo, g.hi)
	} else {
		g.columnGradients(sumG, sumX, g.wideMean[from:], dy, g.y[at:], x, pixels, stride, g.lo, g.hi)
	}
}

// of is channel c's sums.
func (g *tileGradients) of(c int) (sumG, sumGX float64) {
	for i := c; i < g.tasks*g.c; i += g.c {
		sumG += float64(g.sumG[i])
		sumGX += float64(g.sumX[i])
	}
	return sumG, sumGX
}
