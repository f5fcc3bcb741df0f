package enginetest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"mdp/engine"
)

// A gradient is a backward call with the forward call it belongs to: of is what
// each gradient buffer is the gradient with respect to. Both calls name the same
// thing by the same buffer.
type gradient struct {
	forward, backward engine.Call
	y, dy             engine.Buffer
	of                map[engine.Buffer]engine.Buffer
}

// The backward references against the slope of the forward references: with
// L = Σ dy·y, every gradient is dL/dx by central differences.
func TestReferenceGradients(t *testing.T) {
	conv := engine.Conv{N: 2, H: 5, W: 4, C: 4, K: 6, R: 3, S: 2, P: 3, Q: 4, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 2}, Groups: 2}
	pool := engine.Pool{N: 2, H: 5, W: 6, C: 3, R: 3, S: 2, P: 3, Q: 3, Stride: [2]int{2, 2}, Pad: [2]int{1, 0}}
	batchNorm := engine.BatchNormForward{Rows: 7, C: 3, Y: 1, X: 2, Z: 3, Gamma: 4, Beta: 5, RunMean: 6, RunVar: 7, Mean: 8, InvStd: 9, Eps: 1e-3, Momentum: .1}
	batchNormBackward := engine.BatchNormBackward{Rows: 7, C: 3, DX: 11, DZ: 12, DGamma: 13, DBeta: 14, Signed: 15, DY: 16, Y: 1, X: 2, Gamma: 4, Beta: 5, Mean: 8, InvStd: 9}
	gradients := []gradient{
		{engine.ConvForward{Conv: conv, Y: 1, X: 2, W: 3, B: 4}, engine.ConvBackwardData{Conv: conv, DX: 5, DY: 6, W: 3}, 1, 6, map[engine.Buffer]engine.Buffer{5: 2}},
		{engine.ConvForward{Conv: conv, Y: 1, X: 2, W: 3, B: 4}, engine.ConvBackwardFilter{Conv: conv, DW: 5, DY: 6, X: 2}, 1, 6, map[engine.Buffer]engine.Buffer{5: 3}},
		{engine.ConvForward{Conv: conv, Y: 1, X: 2, W: 3, B: 4}, engine.BiasBackward{Rows: 2 * 3 * 4, C: 6, DB: 5, DY: 6}, 1, 6, map[engine.Buffer]engine.Buffer{5: 4}},
		{engine.MaxPoolForward{Pool: pool, Y: 1, X: 2}, engine.MaxPoolBackward{Pool: pool, DX: 3, DY: 4, Y: 1, X: 2}, 1, 4, map[engine.Buffer]engine.Buffer{3: 2}},
		{engine.AvgPoolForward{Pool: pool, Y: 1, X: 2}, engine.AvgPoolBackward{Pool: pool, DX: 3, DY: 4}, 1, 4, map[engine.Buffer]engine.Buffer{3: 2}},
		{engine.AvgPoolForward{Pool: pool, Y: 1, X: 2, CountPad: true}, engine.AvgPoolBackward{Pool: pool, DX: 3, DY: 4, CountPad: true}, 1, 4, map[engine.Buffer]engine.Buffer{3: 2}},
	}
	for _, a := range []engine.Act{engine.Identity, engine.ReLU, engine.ReLU6} {
		f, b := batchNorm, batchNormBackward
		f.Act, b.Act = a, a
		gradients = append(gradients,
			gradient{f, b, 1, 16, map[engine.Buffer]engine.Buffer{11: 2, 12: 3, 13: 4, 14: 5}},
			gradient{engine.Activate{Len: 50, Y: 1, X: 2, Act: a}, engine.ActivateBackward{Len: 50, DX: 3, DY: 4, Y: 1, Act: a}, 1, 4, map[engine.Buffer]engine.Buffer{3: 2}})
	}
	for _, a := range []engine.Act{engine.Sigmoid, engine.HardSwish, engine.SiLU} {
		b := engine.ActivateBackward{Len: 50, DX: 3, DY: 4, Y: 1, X: 2, Act: a}
		gradients = append(gradients, gradient{engine.Activate{Len: 50, Y: 1, X: 2, Act: a}, b, 1, 4, map[engine.Buffer]engine.Buffer{3: 2}})
	}
	mul := engine.Mul{N: 2, Pixels: 5, C: 3, Y: 1, A: 2, B: 3}
	gradients = append(gradients,
		gradient{engine.Clamp{Len: 50, Y: 1, X: 2, Alpha: .25, Beta: .5, Low: 0, High: 1}, engine.ClampBackward{Len: 50, DX: 3, DY: 4, Y: 1, Alpha: .25, Low: 0, High: 1}, 1, 4, map[engine.Buffer]engine.Buffer{3: 2}},
		gradient{mul, engine.Mul{N: 2, Pixels: 5, C: 3, Y: 4, A: 5, B: 3}, 1, 5, map[engine.Buffer]engine.Buffer{4: 2}},
		gradient{mul, engine.GateBackward{N: 2, Pixels: 5, C: 3, DB: 4, DY: 5, A: 2}, 1, 5, map[engine.Buffer]engine.Buffer{4: 3}},
		gradient{engine.Scale{Rows: 7, C: 3, Y: 1, X: 2, Gamma: 3, Beta: 4}, engine.GateBackward{N: 1, Pixels: 7, C: 3, DB: 5, DY: 6, A: 2}, 1, 6, map[engine.Buffer]engine.Buffer{5: 3}})
	for _, g := range gradients {
		t.Run(g.backward.String(), func(t *testing.T) {
			m := random(g.backward.String(), g.forward, g.backward)
			Reference(g.forward, m)
			Reference(g.backward, m)
			checkGradients(t, g.forward, m, g.of, func(m Memory) float64 {
				var sum float64
				for i, dy := range m[g.dy] {
					sum += dy * m[g.y][i]
				}
				return sum
			})
		})
	}
}

func TestReferenceSoftmaxGradient(t *testing.T) {
	for _, smoothing := range []float32{0, .125} {
		c := engine.SoftmaxLoss{N: 4, C: 7, Metrics: 1, DX: 2, X: 3, Labels: 4, Smoothing: smoothing}
		t.Run(c.String(), func(t *testing.T) {
			m := random(c.String(), c)
			copy(m[c.Labels], []float64{3, -1, 0, 6})
			Reference(c, m)
			checkGradients(t, c, m, map[engine.Buffer]engine.Buffer{c.DX: c.X}, func(m Memory) float64 { return m[c.Metrics][0] / 4 })
		})
	}
}

func TestReferenceTaylorTermIsTheGradientTimesTheWeight(t *testing.T) {
	c := engine.BatchNormBackward{Rows: 5, C: 3, DX: 1, DGamma: 2, DBeta: 3, Signed: 4, DY: 5, X: 6, Gamma: 7, Beta: 8, Mean: 9, InvStd: 10}
	m := random(c.String(), c)
	Reference(c, m)
	for k := range 3 {
		assert.InDelta(t, m[7][k]*m[2][k]+m[8][k]*m[3][k], m[4][k], 1e-12)
	}
}

// random fills the operands of calls.
func random(name string, calls ...engine.Call) Memory {
	rng, m := source(name), Memory{}
	for _, c := range calls {
		for _, o := range c.Operands() {
			if m[o.Buffer] == nil {
				m[o.Buffer] = normals(rng, o.Len)
			}
		}
	}
	return m
}

func normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 2 * rng.NormFloat64()
	}
	return x
}

func checkGradients(t *testing.T, forward engine.Call, m Memory, of map[engine.Buffer]engine.Buffer, loss func(Memory) float64) {
	const step = 1e-5
	for dx, x := range of {
		for i := range m[x] {
			difference := 0.0
			for _, sign := range []float64{1, -1} {
				moved := Memory{}
				for b, v := range m {
					moved[b] = append([]float64(nil), v...)
				}
				moved[x][i] += sign * step
				Reference(forward, moved)
				difference += sign * loss(moved)
			}
			want := difference / (2 * step)
			if got := m[dx][i]; !(math.Abs(got-want) <= 1e-6*(1+math.Abs(want))) {
				t.Errorf("buffer %d, element %d: gradient %g, numeric %g", dx, i, got, want)
			}
		}
	}
}
