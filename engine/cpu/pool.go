package cpu

import (
	"math"

	"mdp/engine"
)

// A window is what one output pixel of a pool sees: the image's pixels from row
// h0 to h1 and column w0 to w1.
type window struct{ h0, h1, w0, w1 int }

func windowAt(g engine.Pool, p, q int) window {
	h, w := p*g.Stride[0]-g.Pad[0], q*g.Stride[1]-g.Pad[1]
	return window{max(h, 0), min(h+g.R, g.H), max(w, 0), min(w+g.S, g.W)}
}

// count is the divisor of an average.
func (v window) count(g engine.Pool, countPad bool) float32 {
	if countPad {
		return float32(g.R * g.S)
	}
	return float32((v.h1 - v.h0) * (v.w1 - v.w0))
}

// image is the n-th of images of h × w pixels.
func image(x []float32, n, h, w, c int) []float32 { return x[n*h*w*c : (n+1)*h*w*c] }

// pixel is pixel i of an image.
func pixel(x []float32, i, c int) []float32 { return x[i*c : (i+1)*c : (i+1)*c] }

// The forward pools take a row of output pixels at a time.

type maxPoolForward struct {
	engine.Pool
	larger func(y, x []float32)
	y, x   []float32
}

func (o *maxPoolForward) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *maxPoolForward) run(t *team)            { t.run(o, o.N*o.P) }
func (o *maxPoolForward) do(_, i int) {
	x := image(o.x, i/o.P, o.H, o.W, o.C)
	for q := range o.Q {
		y, v := pixel(o.y, i*o.Q+q, o.C), windowAt(o.Pool, i%o.P, q)
		for c := range y {
			y[c] = float32(math.Inf(-1))
		}
		for h := v.h0; h < v.h1; h++ {
			for w := v.w0; w < v.w1; w++ {
				o.larger(y, pixel(x, h*o.W+w, o.C))
			}
		}
	}
}

type avgPoolForward struct {
	engine.Pool
	add      func(y, a, b []float32, lo, hi float32)
	y, x     []float32
	countPad bool
}

func (o *avgPoolForward) bind(y, x, _ []float32) { o.y, o.x = y, x }
func (o *avgPoolForward) run(t *team)            { t.run(o, o.N*o.P) }
func (o *avgPoolForward) do(_, i int) {
	x := image(o.x, i/o.P, o.H, o.W, o.C)
	for q := range o.Q {
		y, v := pixel(o.y, i*o.Q+q, o.C), windowAt(o.Pool, i%o.P, q)
		clear(y)
		for h := v.h0; h < v.h1; h++ {
			for w := v.w0; w < v.w1; w++ {
				o.add(y, y, pixel(x, h*o.W+w, o.C), negInf, posInf)
			}
		}
		count := v.count(o.Pool, o.countPad)
		for c := range y {
			y[c] /= count
		}
	}
}

// The backward pools take an image at a time: windows that overlap add to the
// same pixels, in order.

type maxPoolBackward struct {
	engine.Pool
	send         func(dx, unsent, y, x []float32)
	dx, dy, y, x []float32
	unsent       []float32 // C for each worker
	accumulate   bool
}

func (o *maxPoolBackward) run(t *team) { t.run(o, o.N) }
func (o *maxPoolBackward) do(worker, n int) {
	dx, x, unsent := image(o.dx, n, o.H, o.W, o.C), image(o.x, n, o.H, o.W, o.C), pixel(o.unsent, worker, o.C)
	row, cleared := o.W*o.C, 0
	for i := range o.P * o.Q {
		v, y := windowAt(o.Pool, i/o.Q, i%o.Q), pixel(o.y, n*o.P*o.Q+i, o.C)
		if !o.accumulate && cleared < v.h1 { // while they are about to be in the cache
			clear(dx[cleared*row : v.h1*row])
			cleared = v.h1
		}
		copy(unsent, pixel(o.dy, n*o.P*o.Q+i, o.C))
		for h := v.h0; h < v.h1; h++ {
			for w := v.w0; w < v.w1; w++ {
				o.send(pixel(dx, h*o.W+w, o.C), unsent, y, pixel(x, h*o.W+w, o.C))
			}
		}
	}
	if !o.accumulate {
		clear(dx[cleared*row:])
	}
}

type avgPoolBackward struct {
	engine.Pool
	dx, dy               []float32
	countPad, accumulate bool
}

func (o *avgPoolBackward) run(t *team) { t.run(o, o.N) }
func (o *avgPoolBackward) do(_, n int) {
	dx := image(o.dx, n, o.H, o.W, o.C)
	if !o.accumulate {
		clear(dx)
	}
	for i := range o.P * o.Q {
		v, dy := windowAt(o.Pool, i/o.Q, i%o.Q), pixel(o.dy, n*o.P*o.Q+i, o.C)
		count := v.count(o.Pool, o.countPad)
		for h := v.h0; h < v.h1; h++ {
			for w := v.w0; w < v.w1; w++ {
				dx := pixel(dx, h*o.W+w, len(dy))
				for c, g := range dy {
					dx[c] += g / count
				}
			}
		}
	}
}
