package cpu

import "mdp/engine"

// pieceLen is how many elements of an elementwise operation a worker takes at a time.
const pieceLen = 1 << 14

func pieces(n int) int { return (n + pieceLen - 1) / pieceLen }

func piece(x []float32, i int) []float32 { return x[i*pieceLen : min(len(x), (i+1)*pieceLen)] }

type activate struct {
	kernel func(y, x []float32, lo, hi float32)
	y, x   []float32
	lo, hi float32
}

func newActivate(k *rows, c engine.Activate, y, x []float32) op {
	if s, ok := k.smooth(c.Act); ok {
		return &smoothly{s.forward, y, x}
	}
	lo, hi := bounds(c.Act)
	return &activate{k.clamp, y, x, lo, hi}
}

func (o *activate) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *activate) run(t *team)            { t.run(o, pieces(len(o.y))) }
func (o *activate) do(_, i int)            { o.kernel(piece(o.y, i), piece(o.x, i), o.lo, o.hi) }

type activateBackward struct {
	kernel    func(dx, dy, y []float32, lo, hi float32)
	dx, dy, y []float32
	lo, hi    float32
}

func newActivateBackward(k *rows, c engine.ActivateBackward, dx, dy, y, x []float32) op {
	if s, ok := k.smooth(c.Act); ok {
		o := &smoothBackward{s.backward, dx, dy, y}
		if c.Act.FromInput() {
			o.of = x
		}
		if c.Accumulate {
			o.kernel = s.backwardAdd
		}
		return o
	}
	lo, hi := gate(c.Act)
	o := &activateBackward{k.pass, dx, dy, gated(c.Act, y, dy), lo, hi}
	if c.Accumulate {
		o.kernel = k.passAdd
	}
	return o
}

func (o *activateBackward) run(t *team) { t.run(o, pieces(len(o.dx))) }
func (o *activateBackward) do(_, i int) {
	o.kernel(piece(o.dx, i), piece(o.dy, i), piece(o.y, i), o.lo, o.hi)
}

type add struct {
	kernel  func(y, a, b []float32, lo, hi float32)
	y, a, b []float32
	lo, hi  float32
}

func newAdd(k *rows, c engine.Add, y, a, b []float32) op {
	lo, hi := bounds(c.Act)
	return &add{k.add, y, a, b, lo, hi}
}

func (o *add) bind(y, a, b []float32) { o.y, o.a, o.b = y, a, b }
func (o *add) run(t *team)            { t.run(o, pieces(len(o.y))) }
func (o *add) do(_, i int)            { o.kernel(piece(o.y, i), piece(o.a, i), piece(o.b, i), o.lo, o.hi) }

type sgd struct {
	kernel          func(p, v, dp []float32, lr, m, wd, ofG, ofV float32)
	p, v, dp, hyper []float32
	decayed         int
	nesterov        bool
}

func newSGD(k *rows, c engine.SGD, p, v, dp, hyper []float32) op {
	return &sgd{k.sgd, p, v, dp, hyper, c.Decayed, c.Nesterov}
}

// run takes the parameters that decay in pieces of their own, then the others.
func (o *sgd) run(t *team) { t.run(o, pieces(o.decayed)+pieces(len(o.p)-o.decayed)) }
func (o *sgd) do(_, i int) {
	lr, m, wd, from, to := o.hyper[0], o.hyper[1], o.hyper[2], 0, o.decayed
	if n := pieces(o.decayed); i >= n {
		wd, i, from, to = 0, i-n, o.decayed, len(o.p)
	}
	ofG, ofV := float32(0), float32(1)
	if o.nesterov {
		ofG, ofV = 1, m
	}
	o.kernel(piece(o.p[from:to], i), piece(o.v[from:to], i), piece(o.dp[from:to], i), lr, m, wd, ofG, ofV)
}
