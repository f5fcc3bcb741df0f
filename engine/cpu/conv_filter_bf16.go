package cpu

// pairsEach is the memory for a block's pixels in pairs: of the output gradient,
// and of what one row of the window reads.
func (o *filterGradient) pairsEach() int {
	g := &o.groups[0]
	if o.kernels.pairs == nil {
		return 0
	}
	n := o.block.n * o.block.p * ceil(o.block.q, 2)
	return line(n*apart(o.kg)) + line(n*apart(g.r*g.s*g.c))
}

// apart is the distance of pairs of pixels of so many elements each: whole cache
// lines, and one more so that powers of two do not share cache sets.
func apart(n int) int { return line(n) + spacing }

// rowsOfPairs is rows for bfloat16: two neighbouring pixels are one step of a sum,
// so their elements are joined first.
func (o *filterGradient) rowsOfPairs(t *outer, g *correlation, src source, b block, dy, sum []float32, rows int, add bool, scratch []float32) {
	t.rows, t.ldc = rows, src.seg*src.segs
	t.seg, t.segs, t.add = b.n*b.p*ceil(b.q, 2), 1, add
	t.lda, t.ldb = apart(rows), apart(src.seg)
	a, x := scratch[:t.seg*t.lda], scratch[line(t.seg*t.lda):]
	o.joinPixels(a, dy, g.out, b, rows)
	t.a = a
	for r := range src.segs {
		o.joinPixels(x, src.data[r*src.stride:], layout{0, src.pixel, src.row, src.image}, b, src.seg)
		for i := range o.kernels.panels(src.seg) {
			vectors, before := o.kernels.width(src.seg, i)
			before *= o.kernels.lanes
			t.cols = min(vectors*o.kernels.lanes, src.seg-before)
			t.step = even(rows, o.kernels.outerRows[vectors])
			t.b, t.c = x[before:], sum[r*src.seg+before:]
			o.kernels.outer[vectors](t)
		}
	}
}

// joinPixels joins the first n elements of neighbouring pixels of a block's rows,
// those of an odd last one with zeros.
func (o *filterGradient) joinPixels(dst, src []float32, l layout, b block, n int) {
	for i := range b.n {
		for j := range b.p {
			row := src[i*l.image+j*l.row:]
			for q := 0; q < b.q; q += 2 {
				lo, hi := row[q*l.pixel:][:n], []float32(nil)
				if q+1 < b.q {
					hi = row[(q+1)*l.pixel:][:n]
				}
				o.kernels.pairs.join(dst[:n], lo, hi)
				dst = dst[min(apart(n), len(dst)):]
			}
		}
	}
}
