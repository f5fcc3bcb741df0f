package enginetest

import (
	"fmt"
	"slices"

	"mdp/engine"
)

// A testCase is a call to be checked. Where exact is set, float32 holds every
// intermediate value of the call on small integers, so that any order of
// summation gives the same bits.
type testCase struct {
	call     engine.Call
	exact    bool
	constant bool // the filter is in Plan.Constant
}

func (c testCase) String() string {
	if c.constant {
		return c.call.String() + "/constant_filter"
	}
	return c.call.String()
}

var acts = []engine.Act{engine.Identity, engine.ReLU, engine.ReLU6}

func cases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{
		convCases(), maskCases(), batchNormCases(), convNormCases(), elementwiseCases(), smoothCases(), gateCases(), poolCases(), lossCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// conv is the usual convolution: what lies below and right of the image is what
// lies above and left.
func conv(n, h, w, c, k, r, s int, stride, pad, dilation [2]int, groups int) engine.Conv {
	return engine.Conv{N: n, H: h, W: w, C: c, K: k, R: r, S: s,
		P:      (h+2*pad[0]-dilation[0]*(r-1)-1)/stride[0] + 1,
		Q:      (w+2*pad[1]-dilation[1]*(s-1)-1)/stride[1] + 1,
		Stride: stride, Pad: pad, Dilation: dilation, Groups: groups}
}

func linear(n, c, k int) engine.Conv {
	return conv(n, 1, 1, c, k, 1, 1, [2]int{1, 1}, [2]int{}, [2]int{1, 1}, 1)
}

// square is a same-padded square filter.
func square(n, h, w, c, k, r, stride, groups int) engine.Conv {
	return conv(n, h, w, c, k, r, r, [2]int{stride, stride}, [2]int{r / 2, r / 2}, [2]int{1, 1}, groups)
}

func geometries() []engine.Conv {
	one, none := [2]int{1, 1}, [2]int{}
	all := []engine.Conv{
		linear(1, 64, 10), linear(5, 17, 25), linear(16, 64, 64), linear(3, 1, 1), linear(33, 130, 7),
		square(2, 7, 5, 25, 17, 1, 1, 1),
		square(1, 13, 11, 8, 16, 1, 2, 1), // pixels nobody reads
		square(3, 7, 7, 64, 64, 1, 1, 1),
		square(1, 11, 13, 8, 16, 3, 2, 1),
		square(2, 16, 16, 16, 16, 3, 1, 1),
		square(2, 8, 8, 64, 32, 3, 2, 1),
		square(1, 17, 19, 3, 16, 7, 2, 1),
		square(1, 3, 3, 7, 8, 5, 1, 1),                       // a filter larger than the image
		conv(1, 2, 3, 3, 7, 3, 3, one, [2]int{3, 3}, one, 1), // outputs that read padding alone
		conv(2, 11, 13, 7, 8, 5, 3, [2]int{2, 1}, [2]int{2, 0}, [2]int{1, 2}, 1),
		conv(1, 13, 7, 8, 17, 2, 4, [2]int{1, 3}, [2]int{0, 3}, [2]int{3, 1}, 1),
		conv(1, 9, 9, 3, 8, 3, 3, [2]int{5, 4}, none, one, 1), // strides beyond the filter
		square(2, 5, 7, 6, 9, 3, 1, 3),
		square(1, 5, 5, 64, 64, 3, 1, 8),
		square(1, 7, 7, 16, 24, 1, 1, 4),
		conv(2, 9, 8, 8, 16, 3, 2, [2]int{2, 1}, [2]int{1, 0}, [2]int{1, 3}, 2),
		square(2, 5, 5, 7, 14, 3, 1, 7), // two filters for each channel
		conv(1, 9, 9, 25, 25, 3, 3, one, [2]int{2, 2}, [2]int{2, 2}, 25),
		conv(2, 11, 7, 17, 17, 3, 2, [2]int{1, 2}, [2]int{1, 1}, [2]int{2, 1}, 17),
		square(1, 13, 13, 8, 8, 5, 2, 8),
	}
	for i, c := range []int{1, 3, 7, 8, 17, 25, 64} {
		k := []int{17, 8, 25, 64, 1, 7, 3}[i]
		all = append(all, square(1+i%2, 5, 7, c, k, 3, 1, 1))
		if c > 1 {
			all = append(all, square(2, 7, 5, c, c, 3, 1+i%2, c))
		}
	}
	ragged := conv(2, 8, 7, 8, 8, 3, 3, [2]int{2, 2}, none, one, 1) // more below and right than above and left
	ragged.P, ragged.Q = 4, 4
	return append(all, ragged)
}

func convCases() []testCase {
	var all []testCase
	for i, g := range geometries() {
		forward := engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3}
		backward := engine.ConvBackwardData{Conv: g, DX: 1, DY: 2, W: 3}
		all = append(all,
			testCase{call: forward, exact: true},
			testCase{call: backward, exact: true},
			testCase{call: engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3}, exact: true})
		for j := range 12 {
			if j != i%12 && i%6 != 0 { // one of them, or all
				continue
			}
			c := forward
			c.Act = acts[j%3]
			if j/3%2 == 0 {
				c.B = 4
			}
			if j/6 == 0 {
				c.Z = 5
			}
			if c != forward {
				all = append(all, testCase{call: c, exact: true}, testCase{call: c, exact: true, constant: true})
			}
		}
		backward.Accumulate = true
		all = append(all, testCase{call: backward, exact: true})
		norm := engine.InputNorm{Gamma: 6, Beta: 7, Mean: 8, InvStd: 9, Act: acts[i%3]}
		forward.XNorm, forward.Act, forward.Z = norm, acts[i/3%3], engine.Buffer(5*(i%2))
		all = append(all,
			testCase{call: forward, exact: true},
			testCase{call: engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3, XNorm: norm}, exact: true})
	}
	norm := engine.InputNorm{Gamma: 6, Beta: 7, Mean: 8, InvStd: 9, Act: engine.ReLU}
	for _, g := range largeDepthwise() {
		all = append(all,
			testCase{call: engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, XNorm: norm}, exact: true},
			testCase{call: engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3, XNorm: norm}, exact: true})
	}
	return all
}

// largeDepthwise are images larger than a core's cache, of which some rows are computed at a time.
func largeDepthwise() []engine.Conv {
	return []engine.Conv{square(2, 97, 61, 40, 40, 3, 1, 40), square(1, 131, 73, 24, 24, 5, 2, 24)}
}

func batchNormCases() []testCase {
	type size struct{ rows, c int }
	sizes := []size{{2, 1}, {1, 8}, {37, 3}, {31, 7}, {5, 8}, {131, 17}, {2, 25}, {64, 64}, {3, 130}, {1031, 16}, {2053, 25}, {521, 64}, {40009, 1}}
	var all []testCase
	for i, s := range sizes {
		all = append(all, testCase{call: engine.BiasBackward{Rows: s.rows, C: s.c, DB: 1, DY: 2}, exact: true})
		for j, a := range acts {
			if s.rows*s.c > 2000 && j != i%3 {
				continue
			}
			if a == engine.Identity {
				all = append(all, testCase{call: engine.BatchNormForward{Rows: s.rows, C: s.c, X: 2, Gamma: 3, Beta: 4, RunMean: 5, RunVar: 6, Mean: 7, InvStd: 8, Eps: 1e-5, Momentum: .1}})
			}
			for _, z := range []engine.Buffer{engine.None, 10} {
				all = append(all,
					testCase{call: engine.BatchNormForward{Rows: s.rows, C: s.c, Y: 1, X: 2, Z: z, Gamma: 3, Beta: 4, RunMean: 5, RunVar: 6, Mean: 7, InvStd: 8, Eps: 1e-5, Momentum: .1, Act: a}},
					testCase{call: engine.BatchNormAgain{Rows: s.rows, C: s.c, Y: 1, X: 2, Z: z, Gamma: 3, Beta: 4, Mean: 5, InvStd: 6, Act: a}},
					testCase{call: engine.BatchNormInfer{Rows: s.rows, C: s.c, Y: 1, X: 2, Z: z, Gamma: 3, Beta: 4, RunMean: 5, RunVar: 6, Eps: 1e-5, Act: a}})
			}
			backward := engine.BatchNormBackward{Rows: s.rows, C: s.c, DX: 1, DGamma: 2, DBeta: 3, DY: 4, X: 5, Gamma: 6, Beta: 7, Mean: 8, InvStd: 9, Act: a}
			if a != engine.Identity {
				backward.Y = 10
			}
			all = append(all, testCase{call: backward})
			again := backward
			again.Y, again.DX, again.Signed = engine.None, 4, 12
			all = append(all, testCase{call: again})
			backward.DZ = 11
			all = append(all, testCase{call: backward})
			backward.Signed, backward.AccumulateZ = 12, true
			all = append(all, testCase{call: backward})
			backward.DX = 4
			all = append(all, testCase{call: backward})
		}
	}
	return all
}

// convNormCases are convolutions with the batch norm that reads them.
func convNormCases() []testCase {
	var all []testCase
	for i, g := range append(append(geometries(), largeDepthwise()...),
		square(3, 19, 17, 8, 72, 3, 1, 1), // many rows
		square(2, 101, 97, 5, 18, 1, 1, 1), square(3, 127, 131, 3, 2, 3, 2, 1),
		linear(137, 5, 1), square(1, 131, 137, 1, 2, 1, 1, 1)) {
		if !g.Depthwise() && i%2 == 1 && i < 24 {
			continue
		}
		c := engine.ConvBatchNorm{ConvForward: engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3}, Norm: engine.BatchNormForward{
			Rows: g.N * g.P * g.Q, C: g.K, Y: 5, X: 1, Gamma: 6, Beta: 7, RunMean: 8, RunVar: 9, Mean: 10, InvStd: 11, Eps: 1e-5, Momentum: .1, Act: acts[i%3]}}
		if i%4 < 2 {
			c.B = 4
		}
		if i%5 < 2 {
			c.Norm.Z = 12
		}
		all = append(all, testCase{call: c})
		c.Norm.Y, c.Norm.Z, c.Norm.Act = engine.None, engine.None, engine.Identity
		c.XNorm = engine.InputNorm{Gamma: 13, Beta: 14, Mean: 15, InvStd: 16, Act: acts[i%3]}
		all = append(all, testCase{call: c})

		back := engine.ConvBackwardBatchNorm{ConvBackwardData: engine.ConvBackwardData{Conv: g, DX: 1, DY: 2, W: 3, Accumulate: i%3 == 1}, Norm: engine.BatchNormBackward{
			Rows: g.N * g.H * g.W, C: g.C, DX: 1, DY: 1, DGamma: 4, DBeta: 5, X: 6, Gamma: 7, Beta: 8, Mean: 9, InvStd: 10, Signed: 11, Act: acts[i%3]}}
		all = append(all, testCase{call: back})
		if back.Norm.Act != engine.Identity {
			back.Norm.Y = 12
		}
		back.Norm.DZ, back.Norm.AccumulateZ = 13, i%2 == 0
		all = append(all, testCase{call: back})
	}
	return all
}

func elementwiseCases() []testCase {
	all := []testCase{{call: engine.Spin{Cycles: 1}}, {call: engine.Spin{Cycles: 1031}}}
	for _, n := range []int{1, 7, 64, 1031, 40009} {
		for _, a := range acts {
			all = append(all,
				testCase{call: engine.Activate{Len: n, Y: 1, X: 2, Act: a}, exact: true},
				testCase{call: engine.Add{Len: n, Y: 1, A: 2, B: 3, Act: a}, exact: true})
			for _, accumulate := range []bool{false, true} {
				c := engine.ActivateBackward{Len: n, DX: 1, DY: 2, Y: 3, Act: a, Accumulate: accumulate}
				if a == engine.Identity {
					c.Y = engine.None
				}
				all = append(all, testCase{call: c, exact: true})
			}
		}
		for _, decayed := range slices.Compact([]int{0, n / 3, n}) {
			for _, nesterov := range []bool{false, true} {
				all = append(all, testCase{call: engine.SGD{Len: n, Decayed: decayed, P: 1, V: 2, DP: 3, Hyper: 4, Nesterov: nesterov}, exact: true},
					testCase{call: engine.SGD{Len: n, Decayed: decayed, P: 1, V: 2, DP: 3, Hyper: 4, Scale: 5, Nesterov: nesterov}, exact: true})
			}
		}
	}
	return append(all,
		testCase{call: engine.Add{Len: 37, Y: 1, A: 2, B: 2}, exact: true}, // twice the same operand
		testCase{call: engine.Record{Steps: 1, History: 1, Metrics: 2}, exact: true},
		testCase{call: engine.Record{Steps: 5, History: 1, Metrics: 2}, exact: true})
}

func poolCases() []testCase {
	var all []testCase
	for i, c := range []int{1, 3, 7, 8, 17, 25, 64} {
		n := 1 + i%3
		ceil := engine.Pool{N: n, H: 8, W: 7, C: c, R: 3, S: 3, P: 4, Q: 3, Stride: [2]int{2, 2}}
		for _, g := range []engine.Pool{
			{N: n, H: 6, W: 8, C: c, R: 2, S: 2, P: 3, Q: 4, Stride: [2]int{2, 2}},
			{N: n, H: 7, W: 5, C: c, R: 3, S: 3, P: 4, Q: 3, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}},
			{N: n, H: 7, W: 9, C: c, R: 3, S: 2, P: 4, Q: 10, Stride: [2]int{2, 1}, Pad: [2]int{1, 1}},
			{N: n, H: 7, W: 5, C: c, R: 7, S: 5, P: 1, Q: 1, Stride: [2]int{1, 1}},
			{N: n, H: 4, W: 4, C: c, R: 4, S: 4, P: 1, Q: 1, Stride: [2]int{4, 4}},
			ceil,
		} {
			all = append(all, testCase{call: engine.MaxPoolForward{Pool: g, Y: 1, X: 2}, exact: true})
			for j := range 4 {
				accumulate, countPad := j&1 != 0, j&2 != 0
				dyadic := (g.R*g.S)&(g.R*g.S-1) == 0
				all = append(all, testCase{call: engine.AvgPoolBackward{Pool: g, DX: 1, DY: 2, Accumulate: accumulate, CountPad: countPad}, exact: dyadic})
				if accumulate {
					all = append(all, testCase{call: engine.AvgPoolForward{Pool: g, Y: 1, X: 2, CountPad: countPad}, exact: dyadic})
				}
				if countPad {
					all = append(all, testCase{call: engine.MaxPoolBackward{Pool: g, DX: 1, DY: 2, Y: 3, X: 4, Accumulate: accumulate}, exact: true})
				}
			}
		}
	}
	return all
}

func lossCases() []testCase {
	var all []testCase
	for _, s := range []struct{ n, c int }{{1, 2}, {1, 10}, {5, 3}, {7, 10}, {32, 17}, {64, 100}, {3, 1000}} {
		for _, smoothing := range []float32{0, .1} {
			for _, dx := range []engine.Buffer{engine.None, 4} {
				all = append(all, testCase{call: engine.SoftmaxLoss{N: s.n, C: s.c, Metrics: 1, DX: dx, X: 2, Labels: 3, Smoothing: smoothing}})
			}
			all = append(all, testCase{call: engine.SoftmaxLoss{N: s.n, C: s.c, Metrics: 1, DX: 4, X: 2, Labels: 3, Scale: 5, Smoothing: smoothing}})
		}
	}
	for _, s := range []struct{ k, len int }{{1, 1}, {7, 27}, {17, 576}, {64, 25}} {
		all = append(all, testCase{call: engine.FilterTaylor{K: s.k, Len: s.len, Signed: 1, W: 2, DW: 3}, exact: true})
	}
	for members := 1; members <= 4; members++ {
		for _, c := range []int{1, 17, 64} {
			o := engine.Importance{C: c}
			for l := range members {
				o.Score = append(o.Score, engine.Buffer(2*l+1))
				o.Signed = append(o.Signed, engine.Buffer(2*l+2))
			}
			all = append(all, testCase{call: o})
			o.Scale = engine.Buffer(2*members + 1)
			all = append(all, testCase{call: o})
		}
	}
	for _, n := range []int{1, 37, 1031, 1 << 18} {
		for growth := range 6 { // data.go says what each is for
			if n > 1031 && growth != 1 && growth != 5 {
				continue
			}
			all = append(all, testCase{call: engine.LossScale{Len: n, Growth: growth, State: 1, DP: 2}, exact: true})
		}
	}
	return all
}

// check panics when two different cases have one name, since the name is all
// that a failure tells.
func check(all []testCase) []testCase {
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.String()] {
			panic(fmt.Sprintf("enginetest: two cases are called %v", c))
		}
		seen[c.String()] = true
	}
	return all
}
