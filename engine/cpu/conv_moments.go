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
	o := &correlate{parts: momentsParts(i, c, norm, workers), out: of[c.Y], in: of[c.X], w: of[c.W], epilogue: epilogue{of[c.B], nil, negInf, posInf}}
	p := &o.parts[0]
	m := newTileMoments(rowsFor(i), p)
	n := len(m.counts) * m.c
	m.first, m.sum, m.sumSq = cut(&ws, line(n)), cut(&ws, line(n)), cut(&ws, line(n))
	m.x, p.sums = of[c.Y], m
	bn := &batchNormForward{normalise: newNormalise(m.rows, fold(c.Norm.Rows, c.K), c.Norm.Act, of[c.Norm.Y], of[c.Y], of[c.Norm.Z], &ws)}
	bn.bindStatistics(c.Norm, of, m.mean, m.squares)
	o.init(ws, workers)
	return norm.before(&convBatchNorm{o, bn})
}

func momentsWorkspace(i isa, c engine.ConvBatchNorm, workers int) int {
	parts := momentsParts(i, c, newInputNorm(i, c.Conv, c.XNorm, nil), workers)
	m := newTileMoments(nil, &parts[0])
	return 3*line(len(m.counts)*m.c) + 3*fold(c.Norm.Rows, c.K).width + partsWorkspace(i, parts, workers)
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
	return c.Groups == 1 && b.isa.precision() == FP32 && !forwardParts(b.isa, c.Conv, nil, 1)[0].suits()
}

func newTileMoments(k *rows, p *part) *tileMoments {
	m := &tileMoments{rows: k, c: p.cols}
	for i := range p.blocks() {
		if i%p.group == 0 {
			m.counts = append(m.counts, 0)
		}
		_, _, _, b := p.at(i)
		m.counts[len(m.counts)-1] += float64(b.n * b.p * b.q)
	}
	return m
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
