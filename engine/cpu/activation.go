package cpu

import (
	"math"

	"mdp/engine"
)

// smooth is an activation that is no clamp: a function of the input, and its
// derivative times dy, from what engine.Act says.
type smooth struct {
	forward               func(y, x []float32)
	backward, backwardAdd func(dx, dy, of []float32)
}

func (k *rows) smooth(a engine.Act) (smooth, bool) {
	switch a {
	case engine.Sigmoid:
		return smooth{k.sigmoid, sigmoidBack, sigmoidBackAdd}, true
	case engine.HardSwish:
		return smooth{k.hardSwish, hardSwishBack, hardSwishBackAdd}, true
	case engine.SiLU:
		return smooth{k.silu, k.siluBack, k.siluBackAdd}, true
	}
	return smooth{}, false
}

// ending makes an op that clamps end with any activation: what is smooth goes
// over y once more.
func ending(k *rows, a engine.Act, o op, y []float32) op {
	if s, ok := k.smooth(a); ok {
		return &activated{o, smoothly{s.forward, y, y}}
	}
	return o
}

type activated struct {
	op
	act smoothly
}

func (o *activated) run(t *team) {
	o.op.run(t)
	o.act.run(t)
}

func (o *activated) bind(y, x, z []float32) {
	o.op.(slicer).bind(y, x, z)
	o.act.bind(y, y, nil)
}

func (o *activated) pack(t *team) {
	if k, ok := o.op.(keeper); ok {
		k.pack(t)
	}
}

func (o *activated) forget() {
	if k, ok := o.op.(keeper); ok {
		k.forget()
	}
}

func (o *activated) share(with op) {
	if k, ok := o.op.(keeper); ok {
		k.share(with.(*activated).op)
	}
}

// smoothly is y = act(x), y at x's place or its own.
type smoothly struct {
	kernel func(y, x []float32)
	y, x   []float32
}

func (o *smoothly) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *smoothly) run(t *team)            { t.run(o, pieces(len(o.y))) }
func (o *smoothly) do(_, i int)            { o.kernel(piece(o.y, i), piece(o.x, i)) }

// smoothBackward is dx (+)= dy·act'.
type smoothBackward struct {
	kernel     func(dx, dy, of []float32)
	dx, dy, of []float32
}

func (o *smoothBackward) run(t *team) { t.run(o, pieces(len(o.dx))) }
func (o *smoothBackward) do(_, i int) { o.kernel(piece(o.dx, i), piece(o.dy, i), piece(o.of, i)) }

// linear is y = clamp(α·x + β): a row of batch norm without a mean.
type linear struct {
	kernel            func(y, x, mean, scale, beta []float32, lo, hi float32)
	y, x              []float32
	zero, alpha, beta []float32
	lo, hi            float32
}

func newClamp(k *rows, c engine.Clamp, y, x []float32) op {
	o := &linear{k.affine, y, x, make([]float32, foldWidth), make([]float32, foldWidth), make([]float32, foldWidth), c.Low, c.High}
	for i := range foldWidth {
		o.alpha[i], o.beta[i] = c.Alpha, c.Beta
	}
	return o
}

func (o *linear) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *linear) run(t *team)            { t.run(o, pieces(len(o.y))) }
func (o *linear) do(_, i int) {
	o.kernel(piece(o.y, i), piece(o.x, i), o.zero, o.alpha, o.beta, o.lo, o.hi)
}

type clampBackward struct {
	engine.ClampBackward
	dx, dy, y []float32
}

func (o *clampBackward) run(t *team) { t.run(o, pieces(len(o.dx))) }
func (o *clampBackward) do(_, i int) {
	dx, dy, y := piece(o.dx, i), piece(o.dy, i), piece(o.y, i)
	for i, g := range dy {
		g = o.Alpha * pass(g, y[i], o.Low, o.High)
		if o.Accumulate {
			g += dx[i]
		}
		dx[i] = g
	}
}

// The activations in Go, for any machine.

func sigmoidGo(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] = float32(sigmoid(float64(v)))
	}
}

func hardSwishGo(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] = v * clamp(v+3, 0, 6) * (1. / 6)
	}
}

func siluGo(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] = v * float32(sigmoid(float64(v)))
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func sigmoidBack(dx, dy, y []float32) {
	for i, s := range y[:len(dx)] {
		dx[i] = dy[i] * s * (1 - s)
	}
}

func sigmoidBackAdd(dx, dy, y []float32) {
	for i, s := range y[:len(dx)] {
		dx[i] += dy[i] * s * (1 - s)
	}
}

func hardSwishBack(dx, dy, x []float32) {
	for i, v := range x[:len(dx)] {
		dx[i] = dy[i] * hardSwishSlope(v)
	}
}

func hardSwishBackAdd(dx, dy, x []float32) {
	for i, v := range x[:len(dx)] {
		dx[i] += dy[i] * hardSwishSlope(v)
	}
}

func hardSwishSlope(x float32) float32 {
	switch {
	case x <= -3:
		return 0
	case x >= 3:
		return 1
	}
	return x/3 + 0.5
}

func siluBackGo(dx, dy, x []float32) {
	for i, v := range x[:len(dx)] {
		dx[i] = dy[i] * siluSlope(v)
	}
}

func siluBackAddGo(dx, dy, x []float32) {
	for i, v := range x[:len(dx)] {
		dx[i] += dy[i] * siluSlope(v)
	}
}

func siluSlope(x float32) float32 {
	s := float32(sigmoid(float64(x)))
	return s * (1 + x*(1-s))
}

func mulGo(y, a, b []float32) {
	for i := 0; i < len(y); i += len(b) {
		n := min(len(b), len(y)-i)
		y, a, b := y[i:][:n], a[i:][:n], b[:n]
		for j, v := range a {
			y[j] = v * b[j]
		}
	}
}

func mulAddGo(y, a, b []float32) {
	for i := 0; i < len(y); i += len(b) {
		n := min(len(b), len(y)-i)
		y, a, b := y[i:][:n], a[i:][:n], b[:n]
		for j, v := range a {
			y[j] += v * b[j]
		}
	}
}
