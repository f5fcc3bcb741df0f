package cpu

import "mdp/engine"

// A region is output rows, or pixels of a row, that the same taps of the window read the image for: all but
// those at the image's edges have them all.
type region struct{ from, to, first, last int } // from ≤ output < to, first ≤ tap < last

// regions of one direction.
func (g *correlation) regions(dim int) []region {
	size, n, taps := [2]int{g.h, g.w}[dim], [2]int{g.p, g.q}[dim], [2]int{g.r, g.s}[dim]
	var all []region
	for i := range n {
		at := i*g.stride[dim] - g.pad[dim]
		v := region{i, i + 1, taps, taps}
		for t := range taps {
			if x := at + t*g.dil[dim]; x >= 0 && x < size {
				v.first, v.last = min(v.first, t), t+1
			}
		}
		if k := len(all) - 1; k >= 0 && all[k].first == v.first && all[k].last == v.last {
			all[k].to++
		} else {
			all = append(all, v)
		}
	}
	return all
}

// cutRows cuts a depthwise part into blocks of whole output rows and lists the taps of every pair of regions.
func (p *part) cutRows(workers int) {
	p.slabs = []slab{{0, 0, p.s, p.r}}
	p.rows, p.pixels = p.regions(0), p.regions(1)
	for _, v := range p.rows {
		for _, u := range p.pixels {
			var taps []tap
			for r := v.first; r < v.last; r++ {
				for s := u.first; s < u.last; s++ {
					taps = append(taps, tap{
						(r-v.first)*p.dil[0]*p.in.row + (s-u.first)*p.dil[1]*p.in.pixel,
						(r*p.s + s) * p.kernels.padded(p.cols),
					})
				}
			}
			p.windows = append(p.windows, taps)
		}
	}
	for r := range p.stride[0] {
		for s := range p.stride[1] {
			p.ahead = append(p.ahead, (p.stride[0]+(p.r-1)*p.dil[0]-r)*p.in.row+s*p.in.pixel)
		}
	}
	most := min(blockLen/(p.q*p.c*p.stride[0]*p.stride[1]), ceil(p.n*p.p, 3*workers))
	p.block = block{1, even(p.p, max(most, 1)), p.q}
	p.grid = p.correlation.grid(p.block)
	p.shares = 1
}

// channels computes the rows of a depthwise block, each region's pixels of it at a time.
func (p *part) channels(n, h int, b block, out, in []float32, e epilogue, t *tile) {
	t.b, t.cols, t.lda, t.ldc = p.packed, p.cols, p.stride[1]*p.in.pixel, p.out.pixel
	t.terms(e, p.out.offset, true, true)
	t.ahead = p.ahead
	i := 0
	for row := h; row < h+b.p; row++ {
		for row >= p.rows[i].to {
			i++
		}
		v := p.rows[i]
		for j, u := range p.pixels {
			t.taps = p.windows[i*len(p.pixels)+j]
			if len(t.taps) > 0 {
				t.a = in[p.in.at(n, row*p.stride[0]-p.pad[0]+v.first*p.dil[0], u.from*p.stride[1]-p.pad[1]+u.first*p.dil[1]):]
			}
			at := p.out.at(n, row, u.from)
			t.c = out[at:]
			if e.z != nil {
				t.z = e.z[at:]
			}
			t.rows = u.to - u.from
			t.step = even(t.rows, p.kernels.tapRows)
			p.kernels.depthwise(t)
		}
	}
}

// depthwiseGradient is the op of a depthwise ConvBackwardFilter. The rows of all images are cut into slices
// that are summed by themselves, taps first, and then added up in order; how many depends on the sizes alone.
type depthwiseGradient struct {
	correlation
	kernels      *convKernels
	rows, pixels []region
	slices       int

	dw, dy, x []float32
	sums      []float32 // one slice's after the other
	tiles     []outer   // one per worker
	addition  depthwiseAddition
}

// someChannels is how many are summed at a time, so that their pixels stay in the cache from a row of taps to
// the next: a multiple of every kernel's vectors.
const someChannels = 64

func newDepthwiseGradient(i isa, c engine.Conv) *depthwiseGradient {
	g := forwardParts(i, c, nil, 1)[0].correlation
	return &depthwiseGradient{
		correlation: g, kernels: convKernelsOf(i.float32()), rows: g.regions(0), pixels: g.regions(1),
		slices: min(mostSlices, g.n*g.p),
	}
}

// size is how many elements a slice's sums have.
func (o *depthwiseGradient) size() int { return line(o.r * o.s * o.kernels.padded(o.c)) }

func (o *depthwiseGradient) run(t *team) {
	t.run(o, o.slices)
	t.run(&o.addition, ceil(o.c, someChannels))
}

func (o *depthwiseGradient) do(worker, slice int) {
	t, sum := &o.tiles[worker], o.sums[slice*o.size():][:o.size()]
	clear(sum)
	t.lda, t.segA = o.out.pixel, o.out.row
	t.ldb, t.segB, t.tap = o.stride[1]*o.in.pixel, o.stride[0]*o.in.row, o.dil[1]*o.in.pixel
	t.ldc, t.add = o.kernels.padded(o.c), true
	from, to := slice*o.n*o.p/o.slices, (slice+1)*o.n*o.p/o.slices
	for n := from / o.p; n*o.p < to; n++ {
		for c := 0; c < o.c; c += someChannels {
			t.cols = min(someChannels, o.c-c)
			for _, v := range o.rows {
				v.from, v.to = max(v.from, from-n*o.p), min(v.to, to-n*o.p)
				if v.from < v.to {
					o.image(t, n, c, v, sum)
				}
			}
		}
	}
}

// image adds some rows of an image to some channels' sums.
func (o *depthwiseGradient) image(t *outer, n, c int, v region, sum []float32) {
	t.segs = v.to - v.from
	for _, u := range o.pixels {
		t.rows, t.seg = u.last-u.first, u.to-u.from
		if t.rows == 0 {
			continue
		}
		t.step = even(t.rows, o.kernels.tapRows)
		t.a = o.dy[o.out.at(n, v.from, u.from)+c:]
		w := u.from*o.stride[1] - o.pad[1] + u.first*o.dil[1]
		for r := v.first; r < v.last; r++ {
			t.b = o.x[o.in.at(n, v.from*o.stride[0]-o.pad[0]+r*o.dil[0], w)+c:]
			t.c = sum[(r*o.s+u.first)*t.ldc+c:]
			o.kernels.taps(t)
		}
	}
}

// depthwiseAddition is the task that adds up some channels' slices and lays them out as a filter.
type depthwiseAddition struct{ *depthwiseGradient }

func (o *depthwiseAddition) do(_, i int) {
	taps, width := o.r*o.s, o.kernels.padded(o.c)
	from, to := i*someChannels, min(o.c, (i+1)*someChannels)
	for tap := range taps {
		var sum [someChannels]float32
		for s := range o.slices {
			for c, v := range o.sums[s*o.size()+tap*width:][from:to] {
				sum[c] += v
			}
		}
		for c := from; c < to; c++ {
			o.dw[c*taps+tap] = sum[c-from]
		}
	}
}
