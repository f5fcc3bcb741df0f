package cpu

import (
	"math"

	"mdp/engine"
)

// mul gates rows of images.
type mul struct {
	engine.Mul
	kernel  func(y, a, b []float32)
	y, a, b []float32
	rows    int // of an image that a worker takes at a time
	each    int // pieces of an image
}

func newMul(k *rows, c engine.Mul, y, a, b []float32) op {
	kernel := k.mul
	if c.Accumulate {
		kernel = k.mulAdd
	}
	if c.Pixels == 1 {
		return &mulEach{kernel, y, a, b}
	}
	o := &mul{Mul: c, kernel: kernel, y: y, a: a, b: b, rows: max(1, pieceLen/c.C)}
	o.each = (c.Pixels + o.rows - 1) / o.rows
	return o
}

func (o *mul) bind(y, a, b []float32) { o.y, o.a, o.b = y, a, b }
func (o *mul) run(t *team)            { t.run(o, o.N*o.each) }
func (o *mul) do(_, i int) {
	n, row := i/o.each, i%o.each*o.rows
	from, to := (n*o.Pixels+row)*o.C, (n*o.Pixels+min(row+o.rows, o.Pixels))*o.C
	o.kernel(o.y[from:to], o.a[from:to], pixel(o.b, n, o.C))
}

// mulEach multiplies element by element.
type mulEach struct {
	kernel  func(y, a, b []float32)
	y, a, b []float32
}

func (o *mulEach) bind(y, a, b []float32) { o.y, o.a, o.b = y, a, b }
func (o *mulEach) run(t *team)            { t.run(o, pieces(len(o.y))) }
func (o *mulEach) do(_, i int)            { o.kernel(piece(o.y, i), piece(o.a, i), piece(o.b, i)) }

// gateBackward takes a few channels of an image at a time and sums them in float64.
type gateBackward struct {
	engine.GateBackward
	db, dy, a []float32
}

const gateChannels = 16

func (o *gateBackward) each() int   { return (o.C + gateChannels - 1) / gateChannels }
func (o *gateBackward) run(t *team) { t.run(o, o.N*o.each()) }
func (o *gateBackward) do(_, i int) {
	n, from := i/o.each(), i%o.each()*gateChannels
	db := pixel(o.db, n, o.C)[from:min(from+gateChannels, o.C)]
	var sums [gateChannels]float64
	for p := n * o.Pixels; p < (n+1)*o.Pixels; p++ {
		dy, a := o.dy[p*o.C+from:][:len(db)], o.a[p*o.C+from:][:len(db)]
		for c, g := range dy {
			sums[c] += float64(g) * float64(a[c])
		}
	}
	for c := range db {
		if o.Accumulate {
			sums[c] += float64(db[c])
		}
		db[c] = float32(sums[c])
	}
}

// scale is batch norm's last pass.
type scale struct {
	*normalise
	gamma, beta []float32
}

func newScale(k *rows, c engine.Scale, y, x, gamma, beta, scratch []float32) op {
	return &scale{newNormalise(k, fold(c.Rows, c.C), engine.Identity, y, x, nil, &scratch), gamma, beta}
}

func (o *scale) run(t *team) {
	for c, gamma := range o.gamma {
		o.parameters(c, 0, gamma, o.beta[c])
	}
	t.run(o.normalise, o.chunks())
}

type copyChannels struct {
	engine.CopyChannels
	sum  func(y, a, b []float32, lo, hi float32)
	y, x []float32
	rows int // that a worker takes at a time
}

func newCopyChannels(k *rows, c engine.CopyChannels, y, x []float32) op {
	return &copyChannels{c, k.add, y, x, max(1, pieceLen/c.C)}
}

func (o *copyChannels) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *copyChannels) run(t *team)            { t.run(o, (o.Rows+o.rows-1)/o.rows) }
func (o *copyChannels) do(_, i int) {
	for r := i * o.rows; r < min((i+1)*o.rows, o.Rows); r++ {
		y, x := o.y[r*o.YC+o.YAt:][:o.C], o.x[r*o.XC+o.XAt:][:o.C]
		if o.Accumulate {
			o.sum(y, y, x, negInf, posInf)
		} else {
			copy(y, x)
		}
	}
}

type softmax struct {
	engine.Softmax
	y, x []float32
}

func (o *softmax) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *softmax) run(t *team)            { t.run(o, o.Rows) }
func (o *softmax) do(_, i int) {
	y, x := pixel(o.y, i, o.C), pixel(o.x, i, o.C)
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for c, v := range x {
		e := math.Exp(float64(v - top))
		y[c] = float32(e)
		sum += e
	}
	for c := range y {
		y[c] = float32(float64(y[c]) / sum)
	}
}
