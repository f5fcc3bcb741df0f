package enginetest

import (
	"math"
	"math/rand/v2"
	"slices"

	"mdp/engine"
)

// maskCases are masked convolutions in every direction, masked on either side and
// on both.
func maskCases() []testCase {
	var all []testCase
	one, two := [2]int{1, 1}, [2]int{2, 2}
	for i, g := range []engine.Conv{
		square(1, 4, 5, 24, 40, 3, 1, 1),
		square(1, 3, 7, 96, 50, 1, 1, 1),
		conv(2, 7, 5, 37, 19, 3, 2, two, one, one, 1),
		linear(3, 130, 10),
		square(2, 8, 7, 3, 16, 3, 2, 1),
	} {
		for j, sides := range [][2]engine.Buffer{{6, 7}, {6, engine.None}, {engine.None, 7}} {
			m := engine.Mask{Chunk: []int{8, 16, 32}[(i+j)%3], In: sides[0], Out: sides[1]}
			forward := engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, B: 4, Z: 5, Act: acts[j]}
			all = append(all,
				testCase{call: engine.MaskedConvForward{ConvForward: forward, Mask: m}, exact: true},
				testCase{call: engine.MaskedConvForward{ConvForward: forward, Mask: m, Leave: true}, exact: true},
				testCase{call: engine.MaskedConvBackwardData{ConvBackwardData: engine.ConvBackwardData{Conv: g, DX: 1, DY: 2, W: 3, Accumulate: i%2 == 0}, Mask: m}, exact: true},
				testCase{call: engine.MaskedConvBackwardFilter{ConvBackwardFilter: engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3}, Mask: m}, exact: true},
				testCase{call: engine.MaskFilter{K: g.K, RS: g.R * g.S, C: g.C, Filter: 1, Mask: m}, exact: true},
				testCase{call: engine.MaskFilter{K: g.K, RS: 1, C: 1, Filter: 1, Mask: engine.Mask{Chunk: m.Chunk, Out: 7}}, exact: true})
		}
	}
	return distinct(all)
}

// distinct leaves one of each.
func distinct(all []testCase) []testCase {
	seen := map[string]bool{}
	var some []testCase
	for _, c := range all {
		if !seen[c.String()] {
			seen[c.String()] = true
			some = append(some, c)
		}
	}
	return some
}

// maskData draws a mask and puts NaN where a masked convolution may not look.
func maskData(rng *rand.Rand, call engine.Call, m Memory) {
	lists := func(k engine.Mask) {
		for _, b := range []engine.Buffer{k.In, k.Out} {
			if b == engine.None {
				continue
			}
			on := make([]bool, len(m[b])-1)
			for i := range on {
				on[i] = rng.IntN(3) > 0
			}
			for i, v := range engine.ChunkList(on) {
				m[b][i] = float64(v)
			}
		}
	}
	poison := func(x []float64, on func(i int) bool) {
		for i := range x {
			if !on(i) {
				x[i] = math.NaN()
			}
		}
	}
	switch c := call.(type) {
	case engine.MaskedConvForward:
		lists(c.Mask)
		in, out, filter := masks(c.Mask, c.Conv, m)
		poison(m[c.X], in)
		poison(m[c.ConvForward.W], filter)
		poison(m[c.Z], out)
	case engine.MaskedConvBackwardData:
		lists(c.Mask)
		_, out, filter := masks(c.Mask, c.Conv, m)
		poison(m[c.DY], out)
		poison(m[c.ConvBackwardData.W], filter)
	case engine.MaskedConvBackwardFilter:
		lists(c.Mask)
		in, out, _ := masks(c.Mask, c.Conv, m)
		poison(m[c.DY], out)
		poison(m[c.X], in)
	case engine.MaskFilter:
		lists(c.Mask)
		_, _, filter := masks(c.Mask, engine.Conv{K: c.K, R: c.RS, S: 1, C: c.C}, m)
		poison(m[c.Filter], filter)
	}
}

// masks says for an element of the input, of the output and of the filter whether it
// takes part.
func masks(k engine.Mask, g engine.Conv, m Memory) (in, out, filter func(i int) bool) {
	flags := func(b engine.Buffer, channels int) []bool {
		on := make([]bool, channels)
		for i := range on {
			on[i] = b == engine.None || slices.Contains(m[b][1:1+int(m[b][0])], float64(i/k.Chunk))
		}
		return on
	}
	ofC, ofK := flags(k.In, g.C), flags(k.Out, g.K)
	in = func(i int) bool { return ofC[i%g.C] }
	out = func(i int) bool { return ofK[i%g.K] }
	return in, out, func(i int) bool { return in(i) && ofK[i/(g.R*g.S*g.C)] }
}

func maskedConvForward(c engine.MaskedConvForward, m Memory) {
	in, out, _ := masks(c.Mask, c.Conv, m)
	y, x, w := m[c.Y], m[c.X], m[c.ConvForward.W]
	for i := range y {
		switch {
		case out(i):
			y[i] = at(m[c.B], i%c.K) + at(m[c.Z], i)
		case !c.Leave:
			y[i] = 0
		}
	}
	taps(c.Conv, func(iy, ix, iw int) {
		for i := range c.C {
			if out(iy) && in(ix+i) {
				y[iy] += x[ix+i] * w[iw+i]
			}
		}
	})
	for i := range y {
		if out(i) {
			y[i] = act(c.Act, y[i])
		}
	}
}

func maskedConvBackwardData(c engine.MaskedConvBackwardData, m Memory) {
	in, out, _ := masks(c.Mask, c.Conv, m)
	dx, dy, w := m[c.DX], m[c.DY], m[c.ConvBackwardData.W]
	start(dx, c.Accumulate)
	taps(c.Conv, func(iy, ix, iw int) {
		for i := range c.C {
			if out(iy) && in(ix+i) {
				dx[ix+i] += dy[iy] * w[iw+i]
			}
		}
	})
}

func maskedConvBackwardFilter(c engine.MaskedConvBackwardFilter, m Memory) {
	in, out, _ := masks(c.Mask, c.Conv, m)
	dw, dy, x := m[c.DW], m[c.DY], m[c.X]
	clear(dw)
	taps(c.Conv, func(iy, ix, iw int) {
		for i := range c.C {
			if out(iy) && in(ix+i) {
				dw[iw+i] += dy[iy] * x[ix+i]
			}
		}
	})
}

func maskFilter(c engine.MaskFilter, m Memory) {
	_, _, on := masks(c.Mask, engine.Conv{K: c.K, R: c.RS, S: 1, C: c.C}, m)
	for i := range m[c.Filter] {
		if !on(i) {
			m[c.Filter][i] = 0
		}
	}
}
