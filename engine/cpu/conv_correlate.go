package cpu

// A filter says where b[r,s,c,j] of a correlation lies in a KRSC filter: both
// directions, flipped or not, are strides.
type filter struct{ offset, r, s, c, j int }

// A part is one correlation of an op: one group, and for strided gradients one
// phase, with how it is cut into tasks.
type part struct {
	correlation
	kernels *convKernels
	filter  filter
	packed  []float32
	slabs   []slab
	block   block
	grid    [3]int    // blocks of images, rows and pixels
	group   int       // blocks of a task
	shares  int       // each block's columns are shared by this many tasks
	sums    panelSums // where set, of what is written
}

// A slab is a piece of a correlation's sum, small enough that a panel's part of
// it stays in the cache: len elements from the first on of each of segs segments.
type slab struct{ segment, first, len, segs int }

const (
	sumLen    = 384     // elements of a slab
	blockLen  = 1 << 17 // elements of a block's input: half of a second-level cache
	blockMost = 252     // pixels of a block: a multiple of every tile's height
	blockFew  = 56
)

func newPart(k *convKernels, g correlation, f filter, workers int) part {
	if g.r*g.s == 0 {
		g.r, g.s = 0, 0
	}
	g.depth = g.c
	if k.pairs != nil && g.c < fewestPaired {
		k = k.exact
	}
	if k.pairs != nil {
		g.pairs, g.c = k.pairs, ceil(g.c, 2)
	}
	p := part{correlation: g.flat(), kernels: k, filter: f}
	p.cutSum()
	p.cutPixels(workers)
	return p
}

// taps is how many elements a sum runs over.
func (p *part) taps() int { return p.r * p.s * p.c }

func (p *part) cutSum() {
	seg, segs := p.s*p.c, p.r
	if p.gather() == readColumns {
		seg, segs = seg*segs, 1
	}
	switch {
	case seg > sumLen:
		cuts := (seg + sumLen - 1) / sumLen
		for g := range segs {
			for i := range cuts {
				first := i * seg / cuts
				p.slabs = append(p.slabs, slab{g, first, (i+1)*seg/cuts - first, 1})
			}
		}
	case seg*segs == 0:
		p.slabs = []slab{{}}
	default:
		each := even(segs, max(sumLen/seg, 1))
		for g := 0; g < segs; g += each {
			p.slabs = append(p.slabs, slab{g, 0, seg, min(each, segs-g)})
		}
	}
}

// cutPixels chooses blocks whose input stays in the cache, and enough of them
// for all workers.
func (p *part) cutPixels(workers int) {
	each := p.c * p.stride[0] * p.stride[1]
	if p.gather() == readColumns {
		each = p.taps()
	}
	pixels := p.n * p.p * p.q
	most := min(blockMost, max(blockLen/max(each, 1), blockFew), max(pixels/(3*workers), blockFew))
	p.block = p.cut(most)
	p.grid = p.correlation.grid(p.block)
	p.group, p.shares = 1, 1
	if blocks := p.blocks(); blocks < 3*workers {
		p.shares = min(p.kernels.panels(p.cols), ceil(3*workers, blocks))
	}
}

func (p *part) blocks() int  { return p.grid[0] * p.grid[1] * p.grid[2] }
func (p *part) tasks() int   { return ceil(p.blocks(), p.group) * p.shares }
func (p *part) filters() int { return p.taps() * p.kernels.padded(p.cols) }

func ceil(n, d int) int { return (n + d - 1) / d }

// panel is where slab s of panel i is packed, and its width in vectors; panel i
// starts at column before.
func (p *part) panel(i int, s slab) (b []float32, vectors, before int) {
	vectors, before = p.kernels.width(p.cols, i)
	before *= p.kernels.lanes
	k := p.before(s)
	l := s.len * s.segs
	return p.packed[k*p.kernels.padded(p.cols)+l*before:][:l*vectors*p.kernels.lanes], vectors, before
}

// before is how many elements of the sum come before a slab's.
func (p *part) before(s slab) int { return s.segment*p.s*p.c + s.first }

// pack copies panel i of the filter, zeros after its last column.
func (p *part) pack(w []float32, i int) {
	for _, s := range p.slabs {
		b, vectors, before := p.panel(i, s)
		width := vectors * p.kernels.lanes
		cols := min(width, p.cols-before)
		for k, end := p.before(s), p.before(s)+s.len*s.segs; k < end; {
			c := k % p.c
			n := min(p.c-c, end-k)
			from := p.filter.offset + k/p.c/p.s*p.filter.r + k/p.c%p.s*p.filter.s + before*p.filter.j
			if p.pairs != nil {
				p.packPairs(b[:n*width], w, from, c, width, cols)
			} else {
				p.packRows(b[:n*width], w, from+c*p.filter.c, width, cols)
			}
			b = b[n*width:]
			k += n
		}
	}
}

// packRows copies rows of cols columns each, and zeros up to width.
func (p *part) packRows(b, w []float32, from, width, cols int) {
	f := p.filter
	if f.j == 1 {
		for ; len(b) > 0; b, from = b[width:], from+f.c {
			copy(b[:cols], w[from:from+cols])
			clear(b[cols:width])
		}
		return
	}
	// Some rows at a time: they stay in the cache until their last column is written,
	// and a column reads enough of w in one go to be prefetched.
	const few = 64
	for ; len(b) > 0; from += few * f.c {
		n := min(few*width, len(b))
		part := b[:n]
		b = b[n:]
		for j := cols; j < width; j++ {
			for i := j; i < n; i += width {
				part[i] = 0
			}
		}
		for j := range cols {
			at := from + j*f.j
			for i := j; i < n; i += width {
				part[i] = w[at]
				at += f.c
			}
		}
	}
}

// panels is how many panels the filter is packed in.
func (p *part) panels() int { return p.kernels.panels(p.cols) }

// epilogue is what happens to a sum before it is stored.
type epilogue struct {
	bias, z []float32
	lo, hi  float32
}

// at is where block i begins, and its size.
func (p *part) at(i int) (n, h, w int, b block) {
	n, h, w = i/p.grid[2]/p.grid[1]*p.block.n, i/p.grid[2]%p.grid[1]*p.block.p, i%p.grid[2]*p.block.q
	return n, h, w, block{min(p.block.n, p.n-n), min(p.block.p, p.p-h), min(p.block.q, p.q-w)}
}

// compute does task i.
func (p *part) compute(i int, out, in []float32, e epilogue, t *tile, scratch []float32) {
	task, share := i/p.shares, i%p.shares
	for i := task * p.group; i < min((task+1)*p.group, p.blocks()); i++ {
		p.computeBlock(task, share, i, out, in, e, t, scratch)
	}
}

// computeBlock gathers block i and runs the tiles over it.
func (p *part) computeBlock(task, share, i int, out, in []float32, e epilogue, t *tile, scratch []float32) {
	n, h, w, b := p.at(i)
	begins := i == task*p.group
	src := p.read(in, n, h, w, b, scratch)
	to := p.out.at(n, h, w)
	if p.gather() == readColumns && p.out.dense(p.p, p.q) {
		b = block{1, 1, b.n * b.p * b.q}
	}
	t.rows, t.lda, t.ldc = b.q, src.pixel, p.out.pixel
	t.segStride = src.stride
	panels := p.panels()
	for i := share * panels / p.shares; i < (share+1)*panels/p.shares; i++ {
		for s, slab := range p.slabs {
			packed, vectors, before := p.panel(i, slab)
			t.b, t.seg, t.segs = packed, slab.len, slab.segs
			t.cols = min(vectors*p.kernels.lanes, p.cols-before)
			t.step = even(b.q, p.kernels.rows[vectors])
			t.fetch(p.gather() == readDirect && src.seg*src.segs == src.pixel)
			t.terms(e, p.out.offset+before, s == 0, s == len(p.slabs)-1)
			kernel := p.kernels.gemm[vectors]
			first := slab.segment*src.stride + slab.first
			next := p.after(i, s)
			for n := range b.n {
				for h := range b.p {
					at := to + n*p.out.image + h*p.out.row + before
					if t.segs > 0 {
						t.a = src.data[n*src.image+h*src.row+first:]
					}
					t.c = out[at:]
					if s > 0 {
						t.z = t.c
					} else if e.z != nil {
						t.z = e.z[at:]
					}
					t.announce(next, n*b.p+h, b.n*b.p)
					kernel(t)
				}
			}
		}
		if p.sums != nil {
			_, vectors, before := p.panel(i, p.slabs[0])
			after := min(before+vectors*p.kernels.lanes, p.cols)
			if begins {
				p.sums.start(task, before, after, to+before)
			}
			for n := range b.n {
				for h := range b.p {
					p.sums.add(task, before, after, to+n*p.out.image+h*p.out.row+before, b.q, p.out.pixel)
				}
			}
		}
	}
}

// after is what lies packed for the sum after slab s of panel i.
func (p *part) after(i, s int) (b []float32) {
	if s++; s == len(p.slabs) {
		i, s = i+1, 0
	}
	if i < p.panels() {
		b, _, _ = p.panel(i, p.slabs[s])
	}
	return b
}

// terms sets the epilogue of a slab for the channels from one on: bias and residual come with the first one,
// the activation with the last.
func (t *tile) terms(e epilogue, channel int, first, last bool) {
	t.bias, t.z = nil, nil
	if first && e.bias != nil {
		t.bias = e.bias[channel:]
	}
	t.lo, t.hi = negInf, posInf
	if last {
		t.lo, t.hi = e.lo, e.hi
	}
}
