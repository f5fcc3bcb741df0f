package cpu

import (
	"slices"

	"mdp/engine"
)

// depthwiseGradient is the op of a depthwise ConvBackwardFilter. The rows of all images are cut into slices that are
// summed by themselves, some rows at a time, and then added up in order; how many depends on the sizes alone.
type depthwiseGradient struct {
	kernels      *convKernels
	add          func(y, a, b []float32, lo, hi float32)
	n, c         int
	rows, cols   direction
	from, to     layout
	band, slices int
	rects        [][]rect // of an image's bands
	norm         *inputNorm

	dw, dy, x []float32
	sums      []float32 // one slice's after the other
	products  []products
	normed    []normedRows // one per worker, too, with a norm
	addition  depthwiseAddition
}

const (
	bandLen   = 1 << 16 // elements of what some rows read: a quarter of a second-level cache
	fewSlices = 16
)

func newDepthwiseGradient(i isa, c engine.Conv, norm *inputNorm) *depthwiseGradient {
	o := &depthwiseGradient{
		norm:    norm,
		kernels: convKernelsOf(i.float32()), add: rowsFor(i).add, n: c.N, c: c.C, from: nhwc(c.H, c.W, c.C, 0), to: nhwc(c.P, c.Q, c.C, 0),
	}
	o.rows, o.cols = directions(c)
	o.band = even(c.P, max(bandLen/(c.Stride[0]*o.from.row), 1))
	for p := 0; p < c.P; p += o.band {
		o.rects = append(o.rects, o.cut(p, min(p+o.band, c.P)))
	}
	o.slices = min(fewSlices, o.n*len(o.rects))
	return o
}

// cut lists the rectangles of some rows, each for some of the taps that it takes.
func (o *depthwiseGradient) cut(from, to int) []rect {
	var all []rect
	for _, h := range o.rows.runs() {
		if h.from, h.to = max(h.from, from), min(h.to, to); h.from >= h.to {
			continue
		}
		for _, w := range o.cols.runs() {
			var taps []tap
			for r := h.first; r < h.last; r++ {
				for s := w.first; s < w.last; s++ {
					taps = append(taps, tap{
						(r*o.rows.dil-o.rows.pad)*o.from.row + (s*o.cols.dil-o.cols.pad)*o.from.pixel,
						(r*o.cols.taps + s) * o.kernels.lanes,
					})
				}
			}
			for some := range slices.Chunk(taps, tapsMost) {
				all = append(all, rect{
					h.to - h.from, w.to - w.from,
					(h.from-from)*o.rows.stride*o.from.row + w.from*o.cols.stride*o.from.pixel,
					(h.from-from)*o.to.row + w.from*o.to.pixel, some,
				})
			}
		}
	}
	return all
}

func (o *depthwiseGradient) vectors() int { return ceil(o.c, o.kernels.lanes) }

// each is how many elements a vector's sums have, and size those of all.
func (o *depthwiseGradient) each() int { return o.rows.taps * o.cols.taps * o.kernels.lanes }
func (o *depthwiseGradient) size() int { return line(o.vectors() * o.each()) }

func (o *depthwiseGradient) workspace(workers int) int {
	return o.slices*o.size() + normedWorkspace(o.norm, o.from, o.rows.once(o.band), workers)
}

func (o *depthwiseGradient) init(dw, dy, x, ws []float32, workers int) *depthwiseGradient {
	o.dw, o.dy, o.x, o.sums = dw, dy, x, ws
	o.normed = normedWorkers(o.norm, o.from, o.rows.once(o.band), ws[o.slices*o.size():], workers)
	o.products = make([]products, workers)
	for i := range o.products {
		t := &o.products[i]
		t.a, t.b = x, dy
		t.rowA, t.rowB = o.rows.stride*o.from.row, o.to.row
		t.pixelA, t.pixelB = o.cols.stride*o.from.pixel, o.to.pixel
		t.vectors, t.last, t.size = o.vectors(), o.c-(o.vectors()-1)*o.kernels.lanes, o.each()
		t.nextA, t.nextB = o.band*t.rowA-o.c+t.last, o.band*t.rowB-o.c+t.last
		t.strided = o.cols.stride > 1
	}
	o.addition.depthwiseGradient = o
	return o
}

func (o *depthwiseGradient) run(t *team) {
	t.run(o, o.slices)
	t.run(&o.addition, ceil(o.vectors(), packedVectors))
}

// do sums a slice, band by band.
func (o *depthwiseGradient) do(worker, slice int) {
	t := &o.products[worker]
	t.c = o.sums[slice*o.size():][:o.size()]
	clear(t.c)
	bands := len(o.rects)
	if o.norm != nil {
		o.normed[worker].begin()
	}
	for i := slice * o.n * bands / o.slices; i < (slice+1)*o.n*bands/o.slices; i++ {
		n, p := i/bands, i%bands
		t.rects = o.rects[p]
		t.from, t.to = o.from.at(n, p*o.band*o.rows.stride, 0), o.to.at(n, p*o.band, 0)
		if o.norm != nil {
			o.readNormed(worker, n, p*o.band)
		}
		if len(t.rects) > 0 {
			o.kernels.products(t)
		}
	}
}

// readNormed has a band's products read what its worker has computed.
func (o *depthwiseGradient) readNormed(worker, n, row int) {
	t, r := &o.products[worker], &o.normed[worker]
	first, next := o.rows.reads(row, min(row+o.band, o.rows.n))
	r.read(o.x, n, first, next)
	t.a, t.from = r.data, (row*o.rows.stride-r.first)*o.from.row
}

// depthwiseAddition is the task that adds up some vectors' slices and lays them out as a filter.
type depthwiseAddition struct{ *depthwiseGradient }

func (o *depthwiseAddition) do(_, i int) {
	taps, lanes := o.rows.taps*o.cols.taps, o.kernels.lanes
	for v := i * packedVectors; v < min((i+1)*packedVectors, o.vectors()); v++ {
		sum := o.sums[v*o.each():][:o.each()]
		for s := 1; s < o.slices; s++ {
			o.add(sum, sum, o.sums[s*o.size()+v*o.each():][:len(sum)], negInf, posInf)
		}
		dw := o.dw[v*lanes*taps:]
		for l := range min(o.c-v*lanes, lanes) {
			for t := range taps {
				dw[l*taps+t] = sum[t*lanes+l]
			}
		}
	}
}
