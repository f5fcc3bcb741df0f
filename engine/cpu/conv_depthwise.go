package cpu

import (
	"fmt"

	"mdp/engine"
)

// A direction is how rows or columns of a depthwise correlation are read: output i takes input i·stride − pad + t·dil
// times the filter's first − t·step, for every t < taps for which there is such an input.
type direction struct {
	phase
	n, size, stride int // outputs, inputs, and distance of windows
}

// directions are those of the forward pass.
func directions(c engine.Conv) (rows, cols direction) {
	return direction{phase{c.R, 0, -1, c.Dilation[0], c.Pad[0]}, c.P, c.H, c.Stride[0]},
		direction{phase{c.S, 0, -1, c.Dilation[1], c.Pad[1]}, c.Q, c.W, c.Stride[1]}
}

// last is the last input that output 0 takes, if it is there.
func (d direction) last() int { return (d.taps-1)*d.dil - d.pad }

// reads are the inputs that outputs from ≤ i < to take.
func (d direction) reads(from, to int) (first, next int) {
	return max(from*d.stride-d.pad, 0), min((to-1)*d.stride+d.last()+1, d.size)
}

// once is how many inputs so many outputs take at most.
func (d direction) once(n int) int { return min((n-1)*d.stride+(d.taps-1)*d.dil+1, d.size) }

// A run is outputs that take the same taps: all but those at the image's edges take them all.
type run struct{ from, to, first, last int } // from ≤ output < to, first ≤ tap < last

// run is output i's, alone.
func (d direction) run(i int) run {
	u := run{i, i + 1, d.taps, d.taps}
	for t := range d.taps {
		if x := i*d.stride - d.pad + t*d.dil; x >= 0 && x < d.size {
			u.first, u.last = min(u.first, t), t+1
		}
	}
	return u
}

func (d direction) runs() []run {
	var all []run
	for i := range d.n {
		u := d.run(i)
		if k := len(all) - 1; k >= 0 && all[k].first == u.first && all[k].last == u.last {
			all[k].to++
		} else {
			all = append(all, u)
		}
	}
	return all
}

// A path is the pixels of the output that the same taps write: all of them or, of a strided gradient, a phase.
type path struct {
	rows, cols direction
	at         int // the first pixel
}

// depthwise is the op of a depthwise ConvForward or ConvBackwardData. A step writes some rows, of a strided
// gradient those of all phases, so that what it reads comes from memory once.
type depthwise struct {
	kernels  *convKernels
	c, taps  int // channels, and taps of each one's filter
	n, p     int // images, and steps of each
	high     int // rows, or groups of rows, of a step
	rows     direction
	norm     *inputNorm
	from, to layout
	stride   [2]int   // of what is read, from a step or a pixel to the next
	kinds    []int    // of steps
	spans    [][]span // of kinds

	in       []float32 // of a norm
	w, bias  []float32
	packed   []float32
	walks    []walk       // one per worker
	normed   []normedRows // with a norm, too
	packing  depthwisePacking
	pieces   int // of the steps,
	shares   int // and of the channels: a task is one of each
	fixed    bool
	constant bool
	ready    bool
}

func newDepthwiseForward(i isa, c engine.Conv, norm *inputNorm) *depthwise {
	rows, cols := directions(c)
	o := newDepthwise(i, c, nhwc(c.H, c.W, c.C, 0), nhwc(c.P, c.Q, c.C, 0), []path{{rows, cols, 0}})
	o.norm = norm
	return o
}

// newDepthwiseBackward has a path for each phase (see backwardParts).
func newDepthwiseBackward(i isa, c engine.Conv) *depthwise {
	to := nhwc(c.H, c.W, c.C, 0)
	var paths []path
	for h := range min(c.Stride[0], c.H) {
		for w := range min(c.Stride[1], c.W) {
			paths = append(paths, path{
				direction{newPhase(c, 0, h), ceil(c.H-h, c.Stride[0]), c.P, 1},
				direction{newPhase(c, 1, w), ceil(c.W-w, c.Stride[1]), c.Q, 1},
				h*to.row + w*to.pixel,
			})
		}
	}
	to.row *= c.Stride[0]
	to.pixel *= c.Stride[1]
	return newDepthwise(i, c, nhwc(c.P, c.Q, c.C, 0), to, paths)
}

func newDepthwise(i isa, c engine.Conv, from, to layout, paths []path) *depthwise {
	o := &depthwise{
		rows: paths[0].rows, kernels: convKernelsOf(i.float32()), c: c.C, taps: c.R * c.S, n: c.N,
		from: from, to: to, stride: [2]int{paths[0].rows.stride, paths[0].cols.stride},
	}
	rows := paths[0].rows.n
	o.high = even(rows, max(stepLen/(o.stride[0]*paths[0].cols.size*o.kernels.lanes), 1))
	o.p = ceil(rows, o.high)
	known := map[string]int{}
	for p := range o.p {
		var rows []stepRow
		for i := range o.high {
			for k := range paths {
				if p := p*o.high + i; p < paths[k].rows.n {
					u := paths[k].rows.run(p)
					rows = append(rows, stepRow{i, k, u.first, u.last})
				}
			}
		}
		kind := fmt.Sprint(rows)
		if _, ok := known[kind]; !ok {
			known[kind] = len(o.spans)
			o.spans = append(o.spans, o.step(c.S, paths, rows))
		}
		o.kinds = append(o.kinds, known[kind])
	}
	return o
}

// A stepRow is a row that a step writes: which one of a path, and the rows of taps it takes.
type stepRow struct{ row, path, first, last int }

// step lists a step's spans. The first path's pixels read ahead.
func (o *depthwise) step(width int, paths []path, rows []stepRow) []span {
	reach := 0
	for _, f := range paths {
		reach = max(reach, f.rows.last())
	}
	var ahead []int
	for r := range o.stride[0] {
		for s := range o.stride[1] {
			ahead = append(ahead, (reach-r)*o.from.row+s*o.from.pixel)
		}
	}
	var all []span
	for _, row := range rows {
		f := paths[row.path]
		for _, u := range f.cols.runs() {
			s := span{
				pixels: u.to - u.from, step: even(u.to-u.from, o.kernels.pixels),
				a: row.row*o.stride[0]*o.from.row + u.from*o.stride[1]*o.from.pixel,
				c: f.at + row.row*o.to.row + u.from*o.to.pixel,
			}
			for t := row.first; t < row.last; t++ {
				for k := u.first; k < u.last; k++ {
					s.taps = append(s.taps, tap{
						(t*f.rows.dil-f.rows.pad)*o.from.row + (k*f.cols.dil-f.cols.pad)*o.from.pixel,
						((f.rows.first-t*f.rows.step)*width + f.cols.first - k*f.cols.step) * o.kernels.lanes,
					})
				}
			}
			if row.path == 0 {
				s.ahead = ahead
			}
			all = append(all, s)
		}
	}
	return all
}

func (o *depthwise) vectors() int { return ceil(o.c, o.kernels.lanes) }

// size is how many elements a vector's filter has.
func (o *depthwise) size() int { return o.taps * o.kernels.lanes }

func (o *depthwise) filters() int { return o.vectors() * o.size() }

func (o *depthwise) workspace(workers int) int {
	return line(o.filters()) + normedWorkspace(o.norm, o.from, o.rows.once(o.high), workers)
}

// init makes the op ready; that of a constant filter keeps its own packed copy of it.
func (o *depthwise) init(out, in, w []float32, e epilogue, ws []float32, workers int, constant bool) *depthwise {
	o.in, o.w, o.bias, o.constant = in, w, e.bias, constant
	if !constant {
		o.packed, ws = ws[:o.filters()], ws[line(o.filters()):]
	}
	o.normed = normedWorkers(o.norm, o.from, o.rows.once(o.high), ws, workers)
	if !o.fixed {
		o.pieces = min(tasksEach*workers, o.n*o.p)
	}
	if o.shares = 1; !o.fixed && o.norm == nil {
		o.shares = min(ceil(tasksEach*workers, o.pieces), o.vectors())
	}
	o.walks = make([]walk, workers)
	cache := Info().L3
	for i := range o.walks {
		t := &o.walks[i]
		t.a, t.c, t.z, t.size, t.lo, t.hi = in, out, e.z, o.size(), e.lo, e.hi
		t.pixelA, t.pixelC = o.stride[1]*o.from.pixel, o.to.pixel
		t.stream = o.c%16 == 0 && 4*(len(in)+len(out)) > cache
	}
	o.packing.depthwise = o
	return o
}

const (
	tasksEach = 8       // of a worker, about
	stepLen   = 1 << 11 // elements that a vector of channels reads in a step: a sixth of a first-level cache
)

func (o *depthwise) run(t *team) {
	o.pack(t)
	t.run(o, o.tasks())
}

func (o *depthwise) bind(y, x, z []float32) {
	for i := range o.walks {
		t := &o.walks[i]
		t.c, t.a, t.z = y, x, z
	}
}

// pack the filter, unless that was done.
func (o *depthwise) pack(t *team) {
	if o.ready {
		return
	}
	if o.packed == nil {
		o.packed = aligned(o.filters())
	}
	t.run(&o.packing, ceil(o.vectors(), packedVectors))
	o.ready = o.constant
}

// forget makes the next run pack the filter again.
func (o *depthwise) forget() { o.ready = false }

func (o *depthwise) share(with op) { o.packed, o.ready = with.(*depthwise).packed, true }

// depthwisePacking is the task that packs some vectors' filters, zeros after the last channel.
type depthwisePacking struct{ *depthwise }

const packedVectors = 8

func (o *depthwisePacking) do(_, i int) {
	lanes := o.kernels.lanes
	for v := i * packedVectors; v < min((i+1)*packedVectors, o.vectors()); v++ {
		to, from := o.packed[v*o.size():][:o.size()], o.w[v*lanes*o.taps:]
		for t := range o.taps {
			for l := range lanes {
				if to[t*lanes+l] = 0; l < o.c-v*lanes {
					to[t*lanes+l] = from[l*o.taps+t]
				}
			}
		}
	}
}

// do computes some channels of some steps.
func (o *depthwise) do(worker, i int) {
	channel := o.begin(worker, i%o.shares)
	for k, end := o.task(i / o.shares); k < end; k++ {
		o.kernels.walk(o.place(worker, k, channel))
	}
}

// task is a piece's steps.
func (o *depthwise) task(i int) (first, end int) {
	return i * o.n * o.p / o.pieces, (i + 1) * o.n * o.p / o.pieces
}

// begin readies a worker for a share of the channels, and says which one is the first.
func (o *depthwise) begin(worker, share int) (channel int) {
	t := &o.walks[worker]
	first, last := share*o.vectors()/o.shares, (share+1)*o.vectors()/o.shares
	t.vectors, t.last = last-first, min(o.c-(last-1)*o.kernels.lanes, o.kernels.lanes)
	t.b = o.packed[first*o.size():]
	t.next = o.high*o.stride[0]*o.from.row - (t.vectors-1)*o.kernels.lanes
	t.nextC = o.each()
	channel = first * o.kernels.lanes
	if o.bias != nil {
		t.bias = o.bias[channel:]
	}
	if o.norm != nil {
		o.normed[worker].begin()
	}
	return channel
}

// place readies a worker for step k, from a channel on.
func (o *depthwise) place(worker, k, channel int) *walk {
	t, n, p := &o.walks[worker], k/o.p, k%o.p
	t.from, t.to = o.from.at(n, p*o.high*o.stride[0], 0)+channel, o.to.at(n, p*o.high, 0)+channel
	if o.norm != nil {
		o.readNormed(worker, n, p*o.high)
	}
	t.spans = o.spans[o.kinds[p]]
	return t
}

// written is where step k begins to write, and how much. Its rows follow each other.
func (o *depthwise) written(k int) (at, n int) {
	image := k / o.p
	at = o.to.at(image, k%o.p*o.high, 0)
	return at, min(o.each(), (image+1)*o.to.image-at)
}

// each is how many elements a step writes at most.
func (o *depthwise) each() int { return o.high * o.to.row }

// steady cuts the steps into tasks that do not depend on the workers, of all channels.
func (o *depthwise) steady() *depthwise {
	o.pieces, o.shares, o.fixed = min(steadyPieces, o.n*o.p), 1, true
	return o
}

// steadyPieces leave each of many workers some, and their sums are few to add up.
const steadyPieces = 128

func (o *depthwise) tasks() int { return o.pieces * o.shares }

// readNormed has a step's walk read what its worker has computed.
func (o *depthwise) readNormed(worker, n, row int) {
	t, r := &o.walks[worker], &o.normed[worker]
	first, next := o.rows.reads(row, min(row+o.high, o.rows.n))
	r.read(o.in, n, first, next)
	t.a, t.from = r.data, (row*o.stride[0]-r.first)*o.from.row
}
