package cpu

import "mdp/engine"

// winogradGradient is the op of ConvBackwardFilter where forward goes by Winograd's transforms: what the
// forward pass multiplies, the image's tiles and here the output gradient's, is summed over the tiles for each
// of the 36 values, and the sums are transformed back to 3×3 taps. Some tiles at a time are transformed and
// then added by one task for each value, in the same order for any number of workers.
type winogradGradient struct {
	winograd
	dw, dy []float32
	sums   []float32 // 36 of k×c
	x, y   []float32 // the tiles of now, transformed
	first  int
	count  int
	outers []outer
	adding winogradAdding
	ending winogradEnding
}

const (
	gradientTiles = 128 // at least, so that sums are small beside what is added to them
	gradientLen   = 1 << 20
	tilesPiece    = 16 // are transformed at a time
	fewChannels   = 32 // below, the transforms cost more than they save
)

// newWinogradGradient is nil where the gradient is not computed so.
func newWinogradGradient(i isa, c engine.Conv, norm *inputNorm, workers int) *winogradGradient {
	w := newWinograd(i, forwardParts(i, c, norm, workers), workers)
	if w == nil || w.c < fewChannels || w.cols < fewChannels {
		return nil
	}
	o := &winogradGradient{winograd: *w}
	o.each = min(max(gradientTiles, gradientLen/(tileValues*(o.c+o.cols))), o.n*o.high*o.wide)
	return o
}

func (o *winogradGradient) own() int {
	return tileValues * (max(o.c, o.cols) + o.kernels.lanes)
}

func (o *winogradGradient) workspace(workers int) int {
	return tileValues*(o.cols*o.c+o.each*(o.c+spaceAfter)+o.each*(o.cols+spaceAfter)) + workers*o.own()
}

func (o *winogradGradient) init(dw, dy, x, ws []float32, workers int) *winogradGradient {
	o.dw, o.dy, o.in = dw, dy, x
	o.sums = cut(&ws, tileValues*o.cols*o.c)
	o.x, o.y = cut(&ws, tileValues*o.each*(o.c+spaceAfter)), cut(&ws, tileValues*o.each*(o.cols+spaceAfter))
	o.scratch = ws
	o.steps, o.outers = make([]transform, workers), make([]outer, workers)
	o.adding.winogradGradient, o.ending.winogradGradient = o, o
	return o
}

func (o *winogradGradient) run(t *team) {
	all := o.n * o.high * o.wide
	for o.first = 0; o.first < all; o.first += o.count {
		o.count = min(o.each, all-o.first)
		t.run(o, ceil(o.count, tilesPiece))
		t.run(&o.adding, tileValues)
	}
	t.run(&o.ending, o.cols)
}

// do transforms a piece of the tiles of now.
func (o *winogradGradient) do(worker, i int) {
	for k := i * tilesPiece; k < min(o.count, (i+1)*tilesPiece); k++ {
		o.tile(worker, k)
	}
}

func (o *winogradGradient) tile(worker, k int) {
	t, s := &o.steps[worker], o.scratch[worker*o.own():][:o.own()]
	t.tmp = cut(&s, tileValues*o.kernels.lanes)
	o.takeIn(t, o.first+k, s, o.x[k*(o.c+spaceAfter):], o.count*(o.c+spaceAfter))

	n, p, q := o.place(o.first + k)
	rows, cols := min(tileSide, o.p-p), min(tileSide, o.q-q)
	t.from, t.row, t.pixel = o.dy[o.part.out.at(n, p, q):], o.part.out.row, o.cols
	if rows < tileSide || cols < tileSide {
		edge := s[:tileSide*tileSide*o.cols]
		clear(edge)
		for r := range rows {
			copy(edge[r*tileSide*o.cols:][:cols*o.cols], t.from[r*t.row:])
		}
		t.from, t.row = edge, tileSide*o.cols
	}
	t.to, t.step, t.n = o.y[k*(o.cols+spaceAfter):], o.count*(o.cols+spaceAfter), o.cols
	o.transforms.gradient(t)
}

// winogradAdding adds the tiles of now to the sums of one value.
type winogradAdding struct{ *winogradGradient }

func (o *winogradAdding) do(worker, v int) {
	t := &o.outers[worker]
	t.rows, t.ldc, t.seg, t.segs, t.add = o.cols, o.c, o.count, 1, o.first > 0
	t.lda, t.ldb = o.cols+spaceAfter, o.c+spaceAfter
	t.a = o.y[v*o.count*t.lda:]
	for i := range o.kernels.panels(o.c) {
		vectors, before := o.kernels.width(o.c, i)
		before *= o.kernels.lanes
		t.cols = min(vectors*o.kernels.lanes, o.c-before)
		t.step = even(t.rows, o.kernels.outerRows[vectors])
		t.b, t.c = o.x[v*o.count*t.ldb+before:], o.sums[v*o.cols*o.c+before:]
		o.kernels.outer[vectors](t)
	}
}

// winogradEnding transforms one filter's sums.
type winogradEnding struct{ *winogradGradient }

func (o *winogradEnding) do(worker, k int) {
	t := &o.steps[worker]
	t.tmp = o.scratch[worker*o.own():][:tileValues*o.kernels.lanes]
	t.from, t.step, t.n = o.sums[k*o.c:], o.cols*o.c, o.c
	t.to, t.row, t.pixel = o.dw[k*9*o.c:], 3*o.c, o.c
	o.transforms.fold(t)
}
