package enginetest

import (
	"math"

	"mdp/engine"
)

// gate computes the calls of engine/call_gate.go.
func gate(c engine.Call, m Memory) {
	switch c := c.(type) {
	case engine.Clamp:
		for i, x := range m[c.X] {
			m[c.Y][i] = math.Min(math.Max(float64(c.Alpha)*x+float64(c.Beta), float64(c.Low)), float64(c.High))
		}
	case engine.ClampBackward:
		for i, y := range m[c.Y] {
			inside := y > float64(float32(c.Low)) && y < float64(float32(c.High))
			set(&m[c.DX][i], float64(c.Alpha)*m[c.DY][i]*when(inside), c.Accumulate)
		}
	case engine.Mul:
		for i, a := range m[c.A] {
			set(&m[c.Y][i], a*m[c.B][i/(c.Pixels*c.C)*c.C+i%c.C], c.Accumulate)
		}
	case engine.GateBackward:
		start(m[c.DB], c.Accumulate)
		for i, dy := range m[c.DY] {
			m[c.DB][i/(c.Pixels*c.C)*c.C+i%c.C] += dy * m[c.A][i]
		}
	case engine.Scale:
		for i, x := range m[c.X] {
			m[c.Y][i] = m[c.Gamma][i%c.C]*x + m[c.Beta][i%c.C]
		}
	case engine.CopyChannels:
		for i := range c.Rows * c.C {
			row, k := i/c.C, i%c.C
			set(&m[c.Y][row*c.YC+c.YAt+k], m[c.X][row*c.XC+c.XAt+k], c.Accumulate)
		}
	case engine.Softmax:
		for row := range c.Rows {
			x, sum := m[c.X][row*c.C:][:c.C], 0.0
			for _, v := range x {
				sum += math.Exp(v)
			}
			for k, v := range x {
				m[c.Y][row*c.C+k] = math.Exp(v) / sum
			}
		}
	}
}

func gateCases() []testCase {
	var all []testCase
	for i, c := range []int{1, 3, 7, 8, 17, 25, 64, 130} {
		for j, pixels := range []int{1, 5, 49, 1031} {
			n := 1 + (i+j)%3
			for _, accumulate := range []bool{false, true} {
				all = append(all,
					testCase{call: engine.Mul{N: n, Pixels: pixels, C: c, Y: 1, A: 2, B: 3, Accumulate: accumulate}, exact: true},
					testCase{call: engine.GateBackward{N: n, Pixels: pixels, C: c, DB: 1, DY: 2, A: 3, Accumulate: accumulate}, exact: true},
					testCase{call: engine.CopyChannels{Rows: n * pixels, C: c, YC: c + 5, YAt: 3, XC: c, Y: 1, X: 2, Accumulate: accumulate}, exact: true},
					testCase{call: engine.CopyChannels{Rows: n * pixels, C: c, YC: c, XC: c + 8 + j, XAt: 8, Y: 1, X: 2, Accumulate: accumulate}, exact: true})
			}
			all = append(all,
				testCase{call: engine.Scale{Rows: n * pixels, C: c, Y: 1, X: 2, Gamma: 3, Beta: 4}, exact: true},
				testCase{call: engine.Softmax{Rows: n * pixels, C: c, Y: 1, X: 2}})
		}
	}
	all = append(all,
		testCase{call: engine.Mul{N: 1, Pixels: 1, C: 37, Y: 1, A: 2, B: 2}, exact: true}, // a square
		testCase{call: engine.Mul{N: 40009, Pixels: 1, C: 1, Y: 1, A: 2, B: 3}, exact: true},
		testCase{call: engine.CopyChannels{Rows: 5, C: 8, YC: 24, YAt: 16, XC: 8, Y: 1, X: 2}, exact: true})
	for _, n := range []int{1, 7, 64, 1031, 40009} {
		for _, c := range []engine.Clamp{
			{Alpha: 1. / 6, Beta: .5, Low: 0, High: 1}, {Alpha: .5, Beta: .5, Low: 0, High: 1},
			{Alpha: 1, Low: -1, High: 2}, {Alpha: 1, Low: -math.MaxFloat32, High: 1},
		} {
			c.Len, c.Y, c.X = n, 1, 2
			b := engine.ClampBackward{Len: n, DX: 1, DY: 2, Y: 3, Alpha: c.Alpha, Low: c.Low, High: c.High}
			dyadic := c.Alpha >= .5
			all = append(all, testCase{call: c, exact: dyadic}, testCase{call: b, exact: dyadic})
			b.Accumulate = true
			all = append(all, testCase{call: b, exact: dyadic})
		}
	}
	return all
}

// smooth activations, by themselves and at the end of every call that may have one.
func smoothCases() []testCase {
	var all []testCase
	for i, a := range []engine.Act{engine.Sigmoid, engine.HardSwish, engine.SiLU} {
		for _, n := range []int{1, 7, 64, 1031, 40009} {
			all = append(all,
				testCase{call: engine.Activate{Len: n, Y: 1, X: 2, Act: a}},
				testCase{call: engine.Add{Len: n, Y: 1, A: 2, B: 3, Act: a}})
			for _, accumulate := range []bool{false, true} {
				c := engine.ActivateBackward{Len: n, DX: 1, DY: 2, Y: 3, Act: a, Accumulate: accumulate}
				if a.FromInput() {
					c.X, c.Y = c.Y, engine.None
				}
				all = append(all, testCase{call: c})
			}
		}
		all = append(all, testCase{call: engine.BatchNormInfer{Rows: 131, C: 17, Y: 1, X: 2, Gamma: 3, Beta: 4, RunMean: 5, RunVar: 6, Eps: 1e-5, Act: a}})
		for j, g := range geometries() {
			if j%3 == i {
				c := testCase{call: engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, B: 4, Act: a}}
				all = append(all, c, testCase{call: c.call, constant: true})
			}
		}
	}
	return all
}
