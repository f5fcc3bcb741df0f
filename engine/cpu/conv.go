package cpu

import (
	"math"
	"slices"

	"mdp/engine"
)

var negInf, posInf = float32(math.Inf(-1)), float32(math.Inf(1))

// correlate is the op of ConvForward and ConvBackwardData: it packs the filter,
// then computes the tasks of all parts.
type correlate struct {
	parts    []part
	out, in  []float32
	w        []float32
	epilogue epilogue
	tiles    []tile // one per worker
	scratch  []float32
	each     int // scratch of one worker
	tasks    int
	packing  packing
	packs    int
	constant bool // no call changes the filter: keep it packed until it is written
	packed   bool
}

// newConvForward prepares ConvForward's loop. The op of a constant filter keeps
// its own packed copy of it from the first run on.
func newConvForward(i isa, c engine.ConvForward, y, x, w, b, z, ws []float32, workers int, constantW bool) op {
	return newConvSlice(i, c, nil, 1, y, x, w, b, z, ws, workers, constantW)
}

// newConvSlice is newConvForward of one of so many slices of a batch, with the same bits
// as of all of it.
func newConvSlice(i isa, c engine.ConvForward, norm *inputNorm, slices int, y, x, w, b, z, ws []float32, workers int, constantW bool) op {
	lo, hi := bounds(c.Act)
	if c.Depthwise() {
		return newDepthwiseForward(i, c.Conv, norm).init(y, x, w, epilogue{b, z, lo, hi}, ws, workers, constantW)
	}
	parts := slicedParts(i, c.Conv, norm, slices, workers)
	if o := newWinograd(i, parts, workers); o != nil {
		return o.init(y, x, w, epilogue{b, z, lo, hi}, ws, workers, constantW)
	}
	o := &correlate{parts: parts, out: y, in: x, w: w, epilogue: epilogue{b, z, lo, hi}, constant: constantW}
	return o.init(ws, workers)
}

// slicedParts is forwardParts that know of the whole batch.
func slicedParts(i isa, c engine.Conv, norm *inputNorm, slices, workers int) []part {
	parts := forwardParts(i, c, norm, workers)
	for k := range parts {
		parts[k].batch = c.N * slices
	}
	return parts
}

// newConvBackwardData prepares ConvBackwardData's loop.
func newConvBackwardData(i isa, c engine.ConvBackwardData, dx, dy, w, ws []float32, workers int) op {
	e := epilogue{nil, nil, negInf, posInf}
	if c.Accumulate {
		e.z = dx
	}
	if c.Depthwise() {
		return newDepthwiseBackward(i, c.Conv).init(dx, dy, w, e, ws, workers, false)
	}
	if o := newWinograd(i, backwardParts(i, c.Conv, workers), workers); o != nil {
		return o.init(dx, dy, w, e, ws, workers, false)
	}
	o := &correlate{parts: backwardParts(i, c.Conv, workers), out: dx, in: dy, w: w, epilogue: e}
	if c.Accumulate {
		o.parts = slices.DeleteFunc(o.parts, func(p part) bool { return p.taps() == 0 }) // they would add nothing
	}
	return o.init(ws, workers)
}

// convWorkspace is how many elements of scratch memory the call's op wants.
func convWorkspace(i isa, c engine.Call, workers int) int {
	var parts []part
	switch c := c.(type) {
	case engine.ConvForward:
		if c.Depthwise() {
			return newDepthwiseForward(i, c.Conv, newInputNorm(i, c.Conv, c.XNorm, nil)).workspace(workers)
		}
		parts = forwardParts(i, c.Conv, newInputNorm(i, c.Conv, c.XNorm, nil), workers)
	case engine.ConvBackwardData:
		if c.Depthwise() {
			return newDepthwiseBackward(i, c.Conv).workspace(workers)
		}
		parts = backwardParts(i, c.Conv, workers)
	case engine.ConvBackwardFilter:
		norm := newInputNorm(i, c.Conv, c.XNorm, nil)
		if c.Depthwise() {
			return newDepthwiseGradient(i, c.Conv, norm).workspace(workers)
		}
		if o := newWinogradGradient(i, c.Conv, norm, workers); o != nil {
			return o.workspace(workers)
		}
		return newFilterGradient(i, c.Conv, norm, workers).workspace(workers)
	}
	return partsWorkspace(i, parts, workers)
}

func partsWorkspace(i isa, parts []part, workers int) int {
	if o := newWinograd(i, parts, workers); o != nil {
		return o.workspace(workers)
	}
	filters := 0
	for i := range parts {
		filters += line(parts[i].filters())
	}
	return filters + workers*scratchEach(parts)
}

// line rounds up to whole cache lines, so that no two workers share one.
func line(n int) int { return (n + 15) / 16 * 16 }

func scratchEach(parts []part) int {
	n := 0
	for i := range parts {
		n = max(n, line(parts[i].scratch(parts[i].block)))
	}
	return n
}

func (o *correlate) init(ws []float32, workers int) *correlate {
	for i := range o.parts {
		p := &o.parts[i]
		if n := p.filters(); !o.constant {
			p.packed, ws = ws[:n], ws[line(n):]
		}
		o.packs += p.panels()
		o.tasks += p.tasks()
	}
	o.each = scratchEach(o.parts)
	o.scratch = ws
	o.tiles = make([]tile, workers)
	o.packing.correlate = o
	return o
}

func (o *correlate) run(t *team) {
	o.pack(t)
	t.run(o, o.tasks)
}

func (o *correlate) bind(y, x, z []float32) { o.out, o.in, o.epilogue.z = y, x, z }

// pack the filter, unless that was done.
func (o *correlate) pack(t *team) {
	if o.packed {
		return
	}
	for i := range o.parts {
		if p := &o.parts[i]; p.packed == nil {
			p.packed = aligned(p.filters())
		}
	}
	t.run(&o.packing, o.packs)
	o.packed = o.constant
}

// forget makes the next run pack the filter again.
func (o *correlate) forget() { o.packed = false }

func (o *correlate) share(with op) {
	for i := range o.parts {
		o.parts[i].packed = with.(*correlate).parts[i].packed
	}
	o.packed = true
}

func (o *correlate) do(worker, i int) {
	for k := range o.parts {
		p := &o.parts[k]
		if n := p.tasks(); i >= n {
			i -= n
			continue
		}
		p.compute(i, o.out, o.in, o.epilogue, &o.tiles[worker], o.scratch[worker*o.each:][:o.each])
		return
	}
}

// packing is the task that packs the filter, panel by panel.
type packing struct{ *correlate }

func (o *packing) do(_, i int) {
	for k := range o.parts {
		p := &o.parts[k]
		if n := p.panels(); i >= n {
			i -= n
			continue
		}
		p.pack(o.w, i)
		return
	}
}

// forwardParts is one correlation for each group.
func forwardParts(i isa, c engine.Conv, norm *inputNorm, workers int) []part {
	k := convKernelsOf(i)
	cg, kg := c.C/c.Groups, c.K/c.Groups
	g := correlation{
		n: c.N, h: c.H, w: c.W, c: cg, p: c.P, q: c.Q, cols: kg,
		r: c.R, s: c.S, stride: c.Stride, pad: c.Pad, dil: c.Dilation,
		in: nhwc(c.H, c.W, c.C, 0), out: nhwc(c.P, c.Q, c.K, 0), norm: norm,
	}
	f := filter{r: c.S * cg, s: cg, c: 1, j: c.R * c.S * cg}
	var parts []part
	for range c.Groups {
		parts = append(parts, newPart(k, g, f, workers))
		g.in.offset += cg
		g.out.offset += kg
		f.offset += kg * f.j
	}
	return parts
}

// backwardParts turns the gradient into correlations of dy with the flipped
// filter. With a stride, pixels of dx whose rows and columns leave the same
// remainders are read by the same taps: each such phase is a correlation of
// stride 1 by itself.
func backwardParts(i isa, c engine.Conv, workers int) []part {
	k := convKernelsOf(i)
	cg, kg := c.C/c.Groups, c.K/c.Groups
	var parts []part
	for h := range min(c.Stride[0], c.H) {
		for w := range min(c.Stride[1], c.W) {
			rows, cols := newPhase(c, 0, h), newPhase(c, 1, w)
			g := correlation{
				n: c.N, h: c.P, w: c.Q, c: kg, p: ceil(c.H-h, c.Stride[0]), q: ceil(c.W-w, c.Stride[1]), cols: cg,
				r: rows.taps, s: cols.taps, stride: [2]int{1, 1},
				pad: [2]int{rows.pad, cols.pad}, dil: [2]int{rows.dil, cols.dil},
				in: nhwc(c.P, c.Q, c.K, 0), out: nhwc(c.H, c.W, c.C, h*c.W*c.C+w*c.C),
			}
			g.out.row *= c.Stride[0]
			g.out.pixel *= c.Stride[1]
			f := filter{
				offset: rows.first*c.S*cg + cols.first*cg,
				r:      -rows.step * c.S * cg, s: -cols.step * cg, c: c.R * c.S * cg, j: 1,
			}
			for range c.Groups {
				parts = append(parts, newPart(k, g, f, workers))
				g.in.offset += kg
				g.out.offset += cg
				f.offset += kg * f.c
			}
		}
	}
	return parts
}

// A phase is the pixels of dx in one direction that leave the same remainder:
// pixel u·stride + remainder gets dy[u − pad + t·dil] times tap first − t·step,
// for t < taps.
type phase struct{ taps, first, step, dil, pad int }

func newPhase(c engine.Conv, dim, remainder int) phase {
	taps, stride, dil := [2]int{c.R, c.S}[dim], c.Stride[dim], c.Dilation[dim]
	f := phase{step: stride / gcd(stride, dil), dil: dil / gcd(stride, dil)}
	for r := range taps {
		if d := remainder + c.Pad[dim] - r*dil; d%stride == 0 {
			f.taps++
			f.first, f.pad = r, -d/stride
		}
	}
	return f
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
