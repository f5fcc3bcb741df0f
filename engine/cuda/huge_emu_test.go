//go:build emu

package cuda

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

// Tensors of 2³² elements are addressed as small ones are. Memory is virtual, and only the
// first and the last block of each grid run: what they write at the end is what a batch
// whose images are those at the end makes.
func TestTensorsBeyond32Bits(t *testing.T) {
	one := [2]int{1, 1}
	conv := func(n, hw, c, k, taps, groups int) engine.Conv {
		return engine.Conv{N: n, H: hw, W: hw, C: c, K: k, R: taps, S: taps, P: hw, Q: hw, Stride: one, Pad: [2]int{taps / 2, taps / 2}, Dilation: one, Groups: groups}
	}
	pool := func(n int) engine.Pool {
		return engine.Pool{N: n, H: 8, W: 8, C: 64, R: 3, S: 3, P: 8, Q: 8, Stride: one, Pad: one}
	}
	const few, many = 4, 1 << 20 // images of 8 × 8 pixels and 64 channels
	const rows = 64              // of an image
	mask := engine.Mask{Chunk: 8}
	for _, of := range []func(n int) engine.Call{
		func(n int) engine.Call {
			return engine.ConvForward{Conv: conv(n, 8, 64, 64, 3, 1), Y: 1, X: 2, W: 3, B: 4, Z: 5, Act: engine.ReLU}
		},
		func(n int) engine.Call {
			return engine.ConvForward{Conv: conv(n, 8, 64, 64, 1, 1), Y: 1, X: 2, W: 3, B: 4, Z: 5}
		},
		func(n int) engine.Call {
			return engine.ConvForward{Conv: conv(n, 8, 64, 64, 3, 64), Y: 1, X: 2, W: 3, B: 4, Z: 5}
		},
		func(n int) engine.Call {
			return engine.MaskedConvForward{ConvForward: engine.ConvForward{Conv: conv(n, 8, 64, 64, 3, 1), Y: 1, X: 2, W: 3}, Mask: mask}
		},
		func(n int) engine.Call {
			return engine.ConvBackwardData{Conv: conv(n, 8, 64, 64, 3, 1), DX: 1, DY: 2, W: 3, Accumulate: true}
		},
		func(n int) engine.Call {
			return engine.ConvBackwardData{Conv: conv(n, 8, 64, 64, 1, 1), DX: 1, DY: 2, W: 3}
		},
		func(n int) engine.Call {
			return engine.ConvBackwardData{Conv: conv(n, 8, 64, 64, 3, 64), DX: 1, DY: 2, W: 3}
		},
		func(n int) engine.Call {
			return engine.MaskedConvBackwardData{ConvBackwardData: engine.ConvBackwardData{Conv: conv(n, 8, 64, 64, 1, 1), DX: 1, DY: 2, W: 3}, Mask: mask}
		},
		func(n int) engine.Call { // one part, 1 << 15 images
			return engine.ConvBackwardFilter{Conv: conv((n+31)/32, 1, 1<<17, 8, 1, 1), DW: 1, DY: 2, X: 3}
		},
		func(n int) engine.Call {
			return engine.ConvBackwardFilter{Conv: conv(n, 8, 64, 64, 1, 64), DW: 1, DY: 2, X: 3}
		},
		func(n int) engine.Call { return engine.BiasBackward{Rows: rows * n, C: 64, DB: 1, DY: 2} },
		func(n int) engine.Call {
			return engine.BatchNormAgain{Rows: rows * n, C: 64, Y: 1, X: 2, Z: 3, Gamma: 4, Beta: 5, Mean: 6, InvStd: 7}
		},
		func(n int) engine.Call {
			return engine.BatchNormInfer{Rows: rows * n, C: 64, Y: 1, X: 2, Gamma: 4, Beta: 5, RunMean: 6, RunVar: 7}
		},
		func(n int) engine.Call { return engine.Activate{Len: rows * 64 * n, Y: 1, X: 2, Act: engine.ReLU} },
		func(n int) engine.Call { return engine.Add{Len: rows * 64 * n, Y: 1, A: 2, B: 3} },
		func(n int) engine.Call { return engine.MaxPoolForward{Pool: pool(n), Y: 1, X: 2} },
		func(n int) engine.Call { return engine.MaxPoolBackward{Pool: pool(n), DX: 1, DY: 2, Y: 3, X: 4} },
		func(n int) engine.Call { return engine.AvgPoolForward{Pool: pool(n), Y: 1, X: 2} },
		func(n int) engine.Call { return engine.AvgPoolBackward{Pool: pool(n), DX: 1, DY: 2} },
		func(n int) engine.Call { return engine.Mul{N: n, Pixels: rows, C: 64, Y: 1, A: 2, B: 3} },
		func(n int) engine.Call { return engine.Scale{Rows: rows * n, C: 64, Y: 1, X: 2, Gamma: 3, Beta: 4} },
		func(n int) engine.Call {
			return engine.CopyChannels{Rows: rows * n, C: 32, YC: 64, YAt: 32, XC: 64, Y: 1, X: 2}
		},
		func(n int) engine.Call { return engine.Softmax{Rows: rows * n, C: 64, Y: 1, X: 2} },
	} {
		for _, s := range []engine.Storage{engine.Float32, engine.BFloat16} {
			t.Run(fmt.Sprintf("%v in %v", of(many), s), func(t *testing.T) {
				want := end(t, kernels.Ascending, s, of(few), of(few))
				got := end(t, kernels.Ends, s, of(many), of(few))
				for i := range want {
					if !assert.InDelta(t, want[i], got[i], 1e-4*float64(max(1, want[i], -want[i])), "%d of the last %d", i, len(want)) {
						break
					}
				}
			})
		}
	}
}

// end runs a call whose activations end in those of a small one, and are zero elsewhere;
// it returns the last of what it writes.
func end(t *testing.T, o kernels.Order, s engine.Storage, c, small engine.Call) []float32 {
	d := emu.Open(o)
	p := Float32
	if s != engine.Float32 {
		p = Precision(s.String())
	}
	b := with(t, d, Options{Precision: p, Storage: s})
	require.NoError(t, b.Supports(c))
	plan := engine.Alone(b, c)
	operands, smalls := c.Operands(), small.Operands()
	tails := engine.Buffer(len(plan.Spans)) // of the ends of operands
	for i, o := range operands {
		span := plan.Span(o.Buffer)
		tail := engine.Span{Len: smalls[i].Len, Storage: span.Storage}
		tail.Offset = span.Offset + span.Words() - tail.Words()
		plan.Spans = append(plan.Spans, tail)
	}
	e, err := b.Prepare(plan)
	require.NoError(t, err)
	defer func() { require.NoError(t, errors.Join(e.Close(), d.Close())) }()
	rng := rand.New(rand.NewPCG(1, 2))
	for i, o := range operands {
		x := make([]float32, smalls[i].Len)
		for j := range x {
			x[j] = float32(rng.IntN(9)) / 4
		}
		if o.Read {
			require.NoError(t, e.Write(tails+engine.Buffer(i), x))
		}
	}
	require.NoError(t, e.Run(0, 1))
	got := make([]float32, smalls[0].Len)
	require.NoError(t, e.Read(got, tails))
	return got[len(got)-min(len(got), 64):]
}
