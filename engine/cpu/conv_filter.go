package cpu

import "mdp/engine"

// filterGradient is the op of ConvBackwardFilter. The pixels are cut into slices
// that are summed by themselves and then added up in order; how many depends on
// the sizes alone, so the result does not depend on the number of workers.
type filterGradient struct {
	kernels *convKernels
	groups  []correlation // of the forward direction
	kg      int           // rows of a group's filter
	block   block
	grid    [3]int
	slices  int
	shares  int // each slice's rows are shared by this many tasks

	dw, dy, x []float32
	sums      []float32 // of slices that do not lie in dw, one after the other
	scratch   []float32
	tiles     []outer // one per worker
	addition  addition
}

const (
	gradientMost = 128 // pixels of a block: a panel of its input fits in the first-level cache
	mostSlices   = 8
	smallSum     = 1 << 16 // elements of a filter above which its rows are shared instead
)

func newFilterGradient(i isa, c engine.Conv, norm *inputNorm, workers int) *filterGradient {
	o := &filterGradient{kernels: convKernelsOf(i), kg: c.K / c.Groups}
	for _, p := range forwardParts(i.float32(), c, norm, 1) {
		o.groups = append(o.groups, p.correlation)
	}
	g := &o.groups[0]
	if o.kernels.pairs != nil && !worthJoining(o.kg, g.s*g.c) {
		o.kernels = o.kernels.exact
	}
	each := max(g.c*g.stride[0]*g.stride[1], g.cols)
	if g.gather() == readColumns {
		each = max(g.r*g.s*g.c, g.cols)
	}
	pixels := 1
	if o.kernels.pairs != nil {
		pixels = 2 // to an element
	}
	o.block = g.cut(pixels * min(gradientMost, max(blockLen/each, blockFew)))
	o.grid = g.grid(o.block)
	o.slices, o.shares = 1, 1
	if len(o.groups)*o.size() <= smallSum {
		o.slices = min(mostSlices, o.grid[0]*o.grid[1]*o.grid[2])
	}
	o.shares = min(ceil(workers, o.slices*len(o.groups)), ceil(o.kg, o.kernels.outerRows[maxVectors]))
	return o
}

func newConvBackwardFilter(i isa, c engine.ConvBackwardFilter, norm *inputNorm, dw, dy, x, ws []float32, workers int) op {
	if c.Depthwise() {
		return newDepthwiseGradient(i, c.Conv, norm).init(dw, dy, x, ws, workers)
	}
	if o := newWinogradGradient(i, c.Conv, norm, workers); o != nil {
		return o.init(dw, dy, x, ws, workers)
	}
	o := newFilterGradient(i, c.Conv, norm, workers)
	o.dw, o.dy, o.x = dw, dy, x
	o.sums, o.scratch = ws[:o.partials()], ws[o.partials():]
	o.tiles = make([]outer, workers)
	o.addition.filterGradient = o
	return o
}

// turned says that the sums' rows are elements under a row of the window and their
// columns output channels: so few of the former fill no vectors.
func (o *filterGradient) turned() bool {
	g := &o.groups[0]
	row := g.s * g.c
	if g.gather() == readColumns {
		row *= g.r
	}
	return o.kernels.pairs == nil && row < o.kg && row <= (maxVectors-1)*o.kernels.lanes
}

// size is how many elements a slice's sum of one group has.
func (o *filterGradient) size() int {
	g := &o.groups[0]
	return o.kg * g.r * g.s * g.c
}

// partials is how many elements the sums take that do not lie in dw, which holds
// the first slice's unless they are turned.
func (o *filterGradient) partials() int {
	if o.turned() {
		return o.slices * line(len(o.groups)*o.size())
	}
	return (o.slices - 1) * line(len(o.groups)*o.size())
}

func (o *filterGradient) each() int {
	g := &o.groups[0]
	if o.spaced() {
		return line(o.block.n * o.block.p * o.block.q * (g.c + spacing))
	}
	return line(g.scratch(o.block)) + o.pairsEach()
}

// spaced says that pixels of many channels are read where they lie, which
// memory and caches serve poorly: a panel takes a piece of each, so they are
// first copied in one go, and to distances that do not share cache sets.
func (o *filterGradient) spaced() bool {
	g := &o.groups[0]
	return g.inside() && o.kernels.pairs == nil && g.r*g.s == 1 && g.c >= 8*spacing
}

const spacing = 16

// space copies a block of pixels to greater distances.
func (g *correlation) space(src source, b block, dst []float32) source {
	pixel := g.c + spacing
	for n := range b.n {
		for p := range b.p {
			for q := range b.q {
				to, from := dst[((n*b.p+p)*b.q+q)*pixel:][:g.c], src.data[n*src.image+p*src.row+q*src.pixel:]
				if g.norm != nil {
					g.norm.copy(to, from)
				} else {
					copy(to, from)
				}
			}
		}
	}
	src.data, src.image, src.row, src.pixel = dst, b.p*b.q*pixel, b.q*pixel, pixel
	return src
}

func (o *filterGradient) workspace(workers int) int { return o.partials() + workers*o.each() }

func (o *filterGradient) run(t *team) {
	t.run(o, len(o.groups)*o.slices*o.shares)
	switch {
	case o.turned():
		t.run((*turning)(o), len(o.groups)*ceil(o.kg, turnLen))
	case o.slices > 1:
		t.run(&o.addition, ceil(len(o.dw), addLen))
	}
}

// do sums slice i of a group, or a share of its rows.
func (o *filterGradient) do(worker, i int) {
	share, slice, group := i%o.shares, i/o.shares%o.slices, i/o.shares/o.slices
	g := &o.groups[group]
	t := &o.tiles[worker]
	scratch := o.scratch[worker*o.each():][:o.each()]
	from, to := share*o.kg/o.shares, (share+1)*o.kg/o.shares
	sum := o.sum(slice, group)
	blocks := o.grid[0] * o.grid[1] * o.grid[2]
	first := slice * blocks / o.slices
	end := (slice + 1) * blocks / o.slices
	for i := first; i < end; i++ {
		n, h, w := o.at(i)
		b := block{min(o.block.n, g.n-n), min(o.block.p, g.p-h), min(o.block.q, g.q-w)}
		var src source
		if o.spaced() {
			src = g.space(g.direct(o.x, n, h, w), b, scratch)
		} else {
			src = g.read(o.x, n, h, w, b, scratch)
		}
		dy := o.dy[g.out.at(n, h, w):]
		ahead := g.out.at(o.at(min(i+1, end-1))) - g.out.at(n, h, w)
		t.lda, t.ldb, t.segA, t.segB = g.out.pixel, src.pixel, g.out.row, src.row
		t.seg, t.segs = b.q, b.p
		switch {
		case o.turned():
			t.aheadB = 4 * ahead
			o.columns(t, g, src, b.n, dy[from:], sum[from:], to-from, i > first)
		case o.kernels.pairs != nil:
			o.rowsOfPairs(t, g, src, b, dy[from:], sum[from*src.seg*src.segs:], to-from, i > first, scratch[line(g.scratch(o.block)):])
		default:
			t.aheadA = 4 * ahead
			o.rows(t, g, src, b.n, dy[from:], sum[from*src.seg*src.segs:], to-from, i > first)
		}
	}
}

// at is where block i begins.
func (o *filterGradient) at(i int) (n, h, w int) {
	return i / o.grid[2] / o.grid[1] * o.block.n, i / o.grid[2] % o.grid[1] * o.block.p, i % o.grid[2] * o.block.q
}

// sum is where a slice of a group is summed.
func (o *filterGradient) sum(slice, group int) []float32 {
	switch {
	case o.turned():
		slice++
	case slice == 0:
		return o.dw[group*o.size():][:o.size()]
	}
	return o.sums[(slice-1)*line(len(o.groups)*o.size())+group*o.size():][:o.size()]
}

// rows adds some images' part to rows of the filter's gradient, or starts it
// with the first one's.
func (o *filterGradient) rows(t *outer, g *correlation, src source, images int, dy, sum []float32, rows int, add bool) {
	t.rows, t.ldc = rows, src.seg*src.segs
	for r := range src.segs {
		for i := range o.kernels.panels(src.seg) {
			vectors, before := o.kernels.width(src.seg, i)
			before *= o.kernels.lanes
			t.cols = min(vectors*o.kernels.lanes, src.seg-before)
			t.step = even(rows, o.kernels.outerRows[vectors])
			t.c = sum[r*src.seg+before:]
			for n := range images {
				t.add = add || n > 0
				t.a, t.b = dy[n*g.out.image:], src.data[n*src.image+r*src.stride+before:]
				o.kernels.outer[vectors](t)
			}
			t.aheadA = 0 // what comes next is on its way
		}
	}
}

// columns adds some images' part to columns of the turned gradient, or starts it.
func (o *filterGradient) columns(t *outer, g *correlation, src source, images int, dy, sum []float32, columns int, add bool) {
	t.rows, t.ldc = src.seg, o.kg
	t.lda, t.ldb, t.segA, t.segB = src.pixel, g.out.pixel, src.row, g.out.row
	for r := range src.segs {
		for i := range o.kernels.panels(columns) {
			vectors, before := o.kernels.width(columns, i)
			before *= o.kernels.lanes
			t.cols = min(vectors*o.kernels.lanes, columns-before)
			t.step = even(t.rows, o.kernels.outerRows[vectors])
			t.c = sum[r*src.seg*o.kg+before:]
			for n := range images {
				t.add = add || n > 0
				t.a, t.b = src.data[n*src.image+r*src.stride:], dy[n*g.out.image+before:]
				o.kernels.outer[vectors](t)
			}
		}
		t.aheadB = 0 // what comes next is on its way
	}
}

// turning is the task that adds up the slices of turned sums, and turns them back.
type turning filterGradient

const turnLen = 64

func (o *turning) do(_, i int) {
	f := (*filterGradient)(o)
	pieces := ceil(o.kg, turnLen)
	group, from := i/pieces, i%pieces*turnLen
	to, c := min(from+turnLen, o.kg), f.size()/o.kg
	dw := o.dw[group*f.size():][:f.size()]
	for s := range o.slices {
		sum := f.sum(s, group)
		for k := from; k < to; k++ {
			for j := range c {
				if s == 0 {
					dw[k*c+j] = 0
				}
				dw[k*c+j] += sum[j*o.kg+k]
			}
		}
	}
}

// addition is the task that adds up the slices.
type addition struct{ *filterGradient }

const addLen = 1 << 12

func (o *addition) do(_, i int) {
	dw := o.dw[i*addLen : min((i+1)*addLen, len(o.dw))]
	each := line(len(o.groups) * o.size())
	for s := range o.slices - 1 {
		for j, v := range o.sums[s*each+i*addLen:][:len(dw)] {
			dw[j] += v
		}
	}
}
