package cpu

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
	most := min(blockLen/(p.q*p.c*p.stride[0]*p.stride[1]), ceil(p.n*p.p, 3*workers))
	p.block = block{1, even(p.p, max(most, 1)), p.q}
	p.grid = p.correlation.grid(p.block)
	p.shares = 1
}

// channels computes the rows of a depthwise block, each region's pixels of it at a time.
func (p *part) channels(n, h int, b block, out, in []float32, e epilogue, t *tile) {
	t.b, t.cols, t.lda, t.ldc = p.packed, p.cols, p.stride[1]*p.in.pixel, p.out.pixel
	t.terms(e, p.out.offset, true, true)
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
