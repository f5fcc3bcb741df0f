package cpu

import "mdp/engine"

// depthwiseGradient is the op of a depthwise ConvBackwardFilter. The rows of all images are cut into slices that are
// summed by themselves, some rows at a time, and then added up in order; how many depends on the sizes alone.
type depthwiseGradient struct {
	kernels      *convKernels
	n, c         int
	rows, cols   direction
	high, wide   []run
	from, to     layout
	band, slices int

	dw, dy, x []float32
	sums      []float32 // one slice's after the other
	products  []products
	addition  depthwiseAddition
}

const (
	bandLen   = 1 << 16 // elements of what some rows read: a quarter of a second-level cache
	fewSlices = 16
)

func newDepthwiseGradient(i isa, c engine.Conv) *depthwiseGradient {
	o := &depthwiseGradient{
		kernels: convKernelsOf(i.float32()), n: c.N, c: c.C, from: nhwc(c.H, c.W, c.C, 0), to: nhwc(c.P, c.Q, c.C, 0),
	}
	o.rows, o.cols = directions(c)
	o.high, o.wide = o.rows.runs(), o.cols.runs()
	o.band = even(c.P, max(bandLen/(c.Stride[0]*o.from.row), 1))
	o.slices = min(fewSlices, o.n*o.bands())
	return o
}

func (o *depthwiseGradient) bands() int   { return ceil(o.rows.n, o.band) }
func (o *depthwiseGradient) vectors() int { return ceil(o.c, o.kernels.lanes) }

// each is how many elements a vector's sums have, and size those of all.
func (o *depthwiseGradient) each() int { return o.rows.taps * o.cols.taps * o.kernels.lanes }
func (o *depthwiseGradient) size() int { return line(o.vectors() * o.each()) }

func (o *depthwiseGradient) workspace() int { return o.slices * o.size() }

func (o *depthwiseGradient) init(dw, dy, x, ws []float32, workers int) *depthwiseGradient {
	o.dw, o.dy, o.x, o.sums = dw, dy, x, ws
	o.products = make([]products, workers)
	o.addition.depthwiseGradient = o
	return o
}

func (o *depthwiseGradient) run(t *team) {
	t.run(o, o.slices)
	t.run(&o.addition, ceil(o.vectors(), packedVectors))
}

func (o *depthwiseGradient) do(worker, slice int) {
	t, sums := &o.products[worker], o.sums[slice*o.size():][:o.size()]
	clear(sums)
	t.a, t.b = o.x, o.dy
	t.rowA, t.rowB = o.rows.stride*o.from.row, o.to.row
	t.strided = o.cols.stride > 1
	t.pixelA, t.pixelB = o.cols.stride*o.from.pixel, o.to.pixel
	bands := o.n * o.bands()
	var taps [tapsMost]tap
	for i := slice * bands / o.slices; i < (slice+1)*bands/o.slices; i++ {
		n, p := i/o.bands(), i%o.bands()*o.band
		for v := range o.vectors() {
			t.aheadA, t.aheadB = o.kernels.lanes, o.kernels.lanes
			if v == o.vectors()-1 {
				t.aheadA = o.band*t.rowA - v*o.kernels.lanes
				t.aheadB = o.band*t.rowB - v*o.kernels.lanes
			}
			t.c, t.lanes = sums[v*o.each():][:o.each()], min(o.c-v*o.kernels.lanes, o.kernels.lanes)
			for _, h := range o.high {
				h.from, h.to = max(h.from, p), min(h.to, p+o.band)
				if h.from >= h.to {
					continue
				}
				for _, w := range o.wide {
					o.rectangle(t, n, v*o.kernels.lanes, h, w, &taps)
				}
			}
		}
	}
}

// rectangle adds a rectangle's part to the sums of the taps that it takes, some at a time.
func (o *depthwiseGradient) rectangle(t *products, n, channel int, h, w run, taps *[tapsMost]tap) {
	t.rows, t.cols = h.to-h.from, w.to-w.from
	t.from = o.from.at(n, h.from*o.rows.stride, w.from*o.cols.stride) + channel
	t.to = o.to.at(n, h.from, w.from) + channel
	t.taps = taps[:0]
	for r := h.first; r < h.last; r++ {
		for s := w.first; s < w.last; s++ {
			t.taps = append(t.taps, tap{
				(r*o.rows.dil-o.rows.pad)*o.from.row + (s*o.cols.dil-o.cols.pad)*o.from.pixel,
				(r*o.cols.taps + s) * o.kernels.lanes,
			})
			if len(t.taps) == tapsMost {
				o.kernels.products(t)
				t.taps = t.taps[:0]
			}
		}
	}
	if len(t.taps) > 0 {
		o.kernels.products(t)
	}
}

// depthwiseAddition is the task that adds up some vectors' slices and lays them out as a filter.
type depthwiseAddition struct{ *depthwiseGradient }

func (o *depthwiseAddition) do(_, i int) {
	taps, lanes := o.rows.taps*o.cols.taps, o.kernels.lanes
	for v := i * packedVectors; v < min((i+1)*packedVectors, o.vectors()); v++ {
		sum := o.sums[v*o.each():][:o.each()]
		for s := 1; s < o.slices; s++ {
			for k, x := range o.sums[s*o.size()+v*o.each():][:len(sum)] {
				sum[k] += x
			}
		}
		dw := o.dw[v*lanes*taps:]
		for l := range min(o.c-v*lanes, lanes) {
			for t := range taps {
				dw[l*taps+t] = sum[t*lanes+l]
			}
		}
	}
}
