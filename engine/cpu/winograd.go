package cpu

// winograd is the op of 3×3 convolutions and input gradients of stride 1 by Winograd's F(4×4, 3×3): a tile of
// 4×4 pixels takes 36 products for each pair of channels, not 144. Tiles are transformed, multiplied and
// transformed back some at a time, so that what lies between stays in the cache.
type winograd struct {
	part
	transforms *transforms
	u          []float32 // the filter transformed: 36 packed filters of 1×1
	high, wide int       // tiles of an image
	each       int       // tiles of a task
	shares     int       // each task's columns are shared by so many

	out, in, w []float32
	epilogue   epilogue
	tiles      []tile
	steps      []transform
	scratch    []float32
	packing    winogradPacking
	filters    winogradFilters
	constant   bool
	packed     bool
}

const (
	tileSide     = 4
	tileValues   = (tileSide + 2) * (tileSide + 2)
	fewTiles     = 48 // below, the filter's transform is not worth its while,
	leastTiles   = 16 // but down to this it is with
	manyChannels = 64 // on both sides
	tilesEach    = 56 // tiles of a task: a multiple of most tiles' heights
	filterPieces = 16 // channels of a panel that are transformed at a time
	spaceAfter   = 16 // keeps rows of a power of two's length off each other's cache sets
)

// suits says whether a correlation is computed so. It depends on the sizes alone: the two ways differ in their
// last bits.
func (g *correlation) suits() bool {
	one := [2]int{1, 1}
	high, wide := ceil(g.p, tileSide), ceil(g.q, tileSide)
	tiles := max(g.n, g.batch) * high * wide
	return g.r == 3 && g.s == 3 && g.stride == one && g.dil == one && g.in.pixel == g.c &&
		g.c%16 == 0 && g.cols%16 == 0 && (tiles >= fewTiles || tiles >= leastTiles && min(g.c, g.cols) >= manyChannels) && 3*g.p*g.q >= 2*high*wide*tileSide*tileSide
}

// newWinograd is nil where the parts are not computed so. Factors that are rounded to bfloat16 are too coarse
// for the transforms.
func newWinograd(i isa, parts []part, workers int) *winograd {
	if i.precision() == BF16 || len(parts) != 1 || !parts[0].suits() {
		return nil
	}
	o := &winograd{part: parts[0], transforms: winogradOf(i)}
	o.slabs = []slab{{0, 0, 3 * o.c, 3}}
	o.high, o.wide = ceil(o.p, tileSide), ceil(o.q, tileSide)
	all := o.n * o.high * o.wide
	o.each, o.shares = ceil(all, ceil(ceil(all, tilesEach), workers)*workers), 1 // as many for each worker
	if all < fewTiles && o.panels()%workers == 0 {
		o.each, o.shares = all, workers // reading the filter takes longer than transforming all tiles
	}
	return o
}

// Elements of memory: the filter as it is packed first, and transformed; and a worker's.
func (o *winograd) direct() int      { return line(o.part.filters()) }
func (o *winograd) transformed() int { return tileValues * o.c * o.kernels.padded(o.cols) }
func (o *winograd) own() int {
	return tileValues * (o.each*(o.c+spaceAfter) + o.each*(o.cols+spaceAfter) + o.c + o.kernels.lanes)
}

func (o *winograd) workspace(workers int) int {
	return o.direct() + o.transformed() + workers*o.own()
}

func (o *winograd) init(out, in, w []float32, e epilogue, ws []float32, workers int, constant bool) *winograd {
	o.out, o.in, o.w, o.epilogue, o.constant = out, in, w, e, constant
	o.part.packed, ws = ws[:o.part.filters()], ws[o.direct():]
	o.u, ws = ws[:o.transformed()], ws[o.transformed():]
	if constant {
		o.u = nil // a copy of its own, from the first run on
	}
	o.scratch = ws
	o.tiles, o.steps = make([]tile, workers), make([]transform, workers)
	o.packing.winograd, o.filters.winograd = o, o
	return o
}

func (o *winograd) run(t *team) {
	o.pack(t)
	t.run(o, ceil(o.n*o.high*o.wide, o.each)*o.shares)
}

func (o *winograd) bind(y, x, z []float32) { o.out, o.in, o.epilogue.z = y, x, z }

// pack transforms the filter, unless that was done.
func (o *winograd) pack(t *team) {
	if o.packed {
		return
	}
	if o.u == nil {
		o.u = aligned(o.transformed())
	}
	t.run(&o.packing, o.panels())
	t.run(&o.filters, o.panels()*ceil(o.c, filterPieces))
	o.packed = o.constant
}

// forget makes the next run transform the filter again.
func (o *winograd) forget() { o.packed = false }

func (o *winograd) share(with op) { o.u, o.packed = with.(*winograd).u, true }

type winogradPacking struct{ *winograd }

func (o *winogradPacking) do(_, i int) { o.part.pack(o.w, i) }

// winogradFilters transforms some channels of a panel: the same tap of all of them lies in one piece.
type winogradFilters struct{ *winograd }

func (o *winogradFilters) do(worker, i int) {
	pieces := ceil(o.c, filterPieces)
	packed, vectors, before := o.panel(i/pieces, o.slabs[0])
	first := i % pieces * filterPieces
	width := vectors * o.kernels.lanes
	t := &o.steps[worker]
	t.from, t.to = packed[first*width:], o.u[before*o.c+first*width:]
	t.tmp = o.temporary(worker)
	t.row, t.pixel, t.step = 3*o.c*width, o.c*width, o.c*o.kernels.padded(o.cols)
	t.n = min(filterPieces, o.c-first) * width
	o.transforms.filter(t)
}

// temporary is a worker's memory for the transforms' first half.
func (o *winograd) temporary(worker int) []float32 {
	return o.scratch[worker*o.own():][:tileValues*o.kernels.lanes]
}

func (o *winograd) do(worker, i int) {
	i, share := i/o.shares, i%o.shares
	first := i * o.each
	count := min(o.each, o.n*o.high*o.wide-first)
	t, s := &o.steps[worker], o.scratch[worker*o.own():][:o.own()]
	t.tmp, s = s[:tileValues*o.kernels.lanes], s[tileValues*o.kernels.lanes:]
	edge, s := s[:tileValues*o.c], s[tileValues*o.c:]
	x, y := s[:tileValues*o.each*(o.c+spaceAfter)], s[tileValues*o.each*(o.c+spaceAfter):]
	for k := range count {
		o.takeIn(t, first+k, edge, x[k*(o.c+spaceAfter):], count*(o.c+spaceAfter))
	}
	from, to := share*o.panels()/o.shares, (share+1)*o.panels()/o.shares
	o.multiply(&o.tiles[worker], x, y, count, from, to)
	for k := range count {
		o.putOut(t, first+k, y[k*(o.cols+spaceAfter):], count*(o.cols+spaceAfter), o.column(from), o.column(to))
	}
}

// place is the image and the first output pixel of a tile.
func (o *winograd) place(tile int) (n, p, q int) {
	return tile / (o.high * o.wide), tile / o.wide % o.high * tileSide, tile % o.wide * tileSide
}

// takeIn transforms a tile's input; what leaves the image is zero.
func (o *winograd) takeIn(t *transform, tile int, edge, x []float32, step int) {
	const side = tileSide + 2
	n, p, q := o.place(tile)
	h, w := p-o.pad[0], q-o.pad[1]
	if o.norm == nil && h >= 0 && w >= 0 && h+side <= o.h && w+side <= o.correlation.w {
		t.from, t.row, t.pixel = o.in[o.part.in.at(n, h, w):], o.part.in.row, o.part.in.pixel
	} else {
		for r := range side {
			o.line(edge[r*side*o.c:][:side*o.c], o.in, n, h+r, w)
		}
		t.from, t.row, t.pixel = edge, side*o.c, o.c
	}
	t.to, t.step, t.n = x, step, o.c
	o.transforms.input(t)
}

// column is the first one of panel i.
func (o *winograd) column(i int) int {
	_, before := o.kernels.width(o.cols, i)
	return min(before*o.kernels.lanes, o.cols)
}

// multiply computes for each of the 36 values y[tile, k] = Σ over c of x[tile, c]·u[c, k], k in some panels.
func (o *winograd) multiply(t *tile, x, y []float32, count, fromPanel, toPanel int) {
	t.rows, t.lda, t.ldc, t.segs, t.bias, t.lo, t.hi = count, o.c+spaceAfter, o.cols+spaceAfter, 1, nil, negInf, posInf
	cuts := ceil(o.c, sumLen)
	for v := range tileValues {
		for i := fromPanel; i < toPanel; i++ {
			vectors, before := o.kernels.width(o.cols, i)
			before *= o.kernels.lanes
			width := vectors * o.kernels.lanes
			t.cols = min(width, o.cols-before)
			t.step = even(count, o.kernels.rows[vectors])
			t.c, t.z = y[v*count*t.ldc+before:], nil
			for cut := range cuts {
				from, to := cut*o.c/cuts, (cut+1)*o.c/cuts
				t.a, t.seg = x[v*count*t.lda+from:], to-from
				at := v*o.c*o.kernels.padded(o.cols) + before*o.c
				t.b = o.u[at+from*width:]
				next := at + to*width // panels follow each other as they are used
				if to == o.c && i+1 == toPanel {
					next += (o.kernels.padded(o.cols) - o.column(toPanel) + o.column(fromPanel)) * o.c
				}
				after := o.u[min(next, len(o.u)):]
				t.announce(after[:min(len(after), t.seg*width)], 0, 1)
				o.kernels.gemm[vectors](t)
				t.z = t.c
			}
		}
	}
}

// putOut transforms some columns of a tile's sums to its pixels.
func (o *winograd) putOut(t *transform, tile int, y []float32, step, from, to int) {
	n, p, q := o.place(tile)
	at := o.part.out.at(n, p, q) + from
	t.from, t.to, t.bias, t.z = y[from:], o.out[at:], nil, nil
	if o.epilogue.bias != nil {
		t.bias = o.epilogue.bias[from:]
	}
	if o.epilogue.z != nil {
		t.z = o.epilogue.z[at:]
	}
	t.row, t.pixel, t.step, t.n = o.part.out.row, o.part.out.pixel, step, to-from
	t.rows, t.cols = min(tileSide, o.p-p), min(tileSide, o.q-q)
	t.lo, t.hi = o.epilogue.lo, o.epilogue.hi
	o.transforms.output(t)
}
