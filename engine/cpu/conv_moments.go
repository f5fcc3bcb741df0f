package cpu

import "mdp/engine"

// convBatchNorm is the op of ConvBatchNorm: the convolution takes the moments of every
// panel of a block that it has just written, which is in the cache still, about the
// first pixel of the task's blocks.
type convBatchNorm struct {
	conv op
	*batchNormForward
}

func (o *convBatchNorm) run(t *team) {
	o.conv.run(t)
	t.run((*batchNormStatistics)(o.batchNormForward), channelPieces(o.c))
	if o.y != nil {
		t.run(o.normalise, o.chunks())
	}
}

// panelSums sums up channels from ≤ c < to of what a convolution has just written, of
// pixels that lie stride apart in its output. What tasks sum does not depend on how
// many workers there are.
type panelSums interface {
	start(task, from, to, at int)
	add(task, from, to, at, pixels, stride int)
}

// tileMoments are the moments that a convolution leaves: for each task and channel.
type tileMoments struct {
	*rows
	c                 int
	x                 []float32 // what is written
	counts            []float64 // pixels of a task
	first, sum, sumSq []float32 // rows of c, one for each task
}

const (
	mostMoments = 256 // tasks at most, so that their moments are few to combine
	fewWorkers  = 2   // blocks are cut for so many, whatever there are
)

func newConvBatchNorm(i isa, c engine.ConvBatchNorm, norm *inputNorm, of map[engine.Buffer][]float32, ws []float32, workers int) op {
	e := epilogue{of[c.B], nil, negInf, posInf}
	m := &tileMoments{rows: rowsFor(i), c: c.K, x: of[c.Y]}
	bn := &batchNormForward{normalise: newNormalise(m.rows, fold(c.Norm.Rows, c.K), c.Norm.Act, of[c.Norm.Y], of[c.Y], of[c.Norm.Z], &ws)}
	bn.bindStatistics(c.Norm, of, m.mean, m.squares)
	if c.Depthwise() {
		o := newDepthwiseForward(i, c.Conv, norm).steady()
		m.cut(o.counts(), &ws)
		o.init(of[c.Y], of[c.X], of[c.W], e, ws, workers, false)
		return norm.before(&convBatchNorm{newDepthwiseMoments(o, m), bn})
	}
	o := &correlate{parts: momentsParts(i, c, norm, workers), out: of[c.Y], in: of[c.X], w: of[c.W], epilogue: e}
	p := &o.parts[0]
	m.cut(p.counts(), &ws)
	p.sums = m
	o.init(ws, workers)
	return norm.before(&convBatchNorm{o, bn})
}

func momentsWorkspace(i isa, c engine.ConvBatchNorm, workers int) int {
	norm := newInputNorm(i, c.Conv, c.XNorm, nil)
	wide := 3 * fold(c.Norm.Rows, c.K).width
	if c.Depthwise() {
		o := newDepthwiseForward(i, c.Conv, norm).steady()
		return 3*line(o.tasks()*c.K) + wide + o.workspace(workers)
	}
	parts := momentsParts(i, c, norm, workers)
	return 3*line(len(parts[0].counts())*c.K) + wide + partsWorkspace(i, parts, workers)
}

// momentsParts are forwardParts whose tasks do not depend on the workers.
func momentsParts(i isa, c engine.ConvBatchNorm, norm *inputNorm, workers int) []part {
	return steady(forwardParts(i, c.Conv, norm, workers), workers)
}

func steady(parts []part, workers int) []part {
	p := &parts[0]
	p.cutPixels(fewWorkers)
	p.group = ceil(p.blocks(), mostMoments)
	p.shares = min(p.panels(), ceil(3*workers, ceil(p.blocks(), p.group)))
	return parts
}

// supportsMoments says which convolutions leave moments.
func (b *Backend) supportsMoments(c engine.ConvBatchNorm) bool {
	return b.supportsDepthwiseMoments(c.Conv) || c.Groups == 1 && b.isa.precision() == FP32 && !forwardParts(b.isa, c.Conv, nil, 1)[0].suits()
}

// counts are the pixels of tasks.
func (p *part) counts() []float64 {
	counts := make([]float64, ceil(p.blocks(), p.group))
	for i := range p.blocks() {
		_, _, _, b := p.at(i)
		counts[i/p.group] += float64(b.n * b.p * b.q)
	}
	return counts
}

// cut makes room for tasks of so many pixels.
func (m *tileMoments) cut(counts []float64, ws *[]float32) {
	m.counts = counts
	n := line(len(counts) * m.c)
	m.first, m.sum, m.sumSq = cut(ws, n), cut(ws, n), cut(ws, n)
}

// start begins a task's moments of some channels with its first pixel.
func (m *tileMoments) start(task, from, to, at int) {
	i, n := task*m.c+from, to-from
	copy(m.first[i:][:n], m.x[at:])
	clear(m.sum[i:][:n])
	clear(m.sumSq[i:][:n])
}

func (m *tileMoments) add(task, from, to, at, pixels, stride int) {
	i, n := task*m.c+from, to-from
	m.columnMoments(m.sum[i:][:n], m.sumSq[i:][:n], m.first[i:][:n], m.x[at:], pixels, stride)
}

// mean and squares are channel c's mean and Σ (x − mean)².
func (m *tileMoments) mean(c int) float64 {
	var sum, count float64
	for i, n := range m.counts {
		sum += n*float64(m.first[i*m.c+c]) + float64(m.sum[i*m.c+c])
		count += n
	}
	return sum / count
}

func (m *tileMoments) squares(c int, mean float64) float64 {
	var s float64
	for i, n := range m.counts {
		d := float64(m.first[i*m.c+c]) - mean
		s += float64(m.sumSq[i*m.c+c]) + d*(2*float64(m.sum[i*m.c+c])+n*d)
	}
	return max(s, 0)
}
