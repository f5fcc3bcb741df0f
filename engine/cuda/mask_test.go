//go:build cuda || emu

package cuda

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

var maskedConvs = []engine.Conv{
	{N: 2, H: 5, W: 6, C: 40, K: 72, R: 3, S: 3, P: 5, Q: 6, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 1, H: 7, W: 7, C: 96, K: 130, R: 1, S: 1, P: 7, Q: 7, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 2, H: 7, W: 5, C: 67, K: 33, R: 3, S: 2, P: 4, Q: 3, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 3, H: 1, W: 1, C: 130, K: 10, R: 1, S: 1, P: 1, Q: 1, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 5, H: 16, W: 16, C: 16, K: 8, R: 1, S: 1, P: 16, Q: 16, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}, // a split weight gradient
}

// checkMasked holds masked convolutions, with NaN in whatever is off, against dense
// ones with zeros there: they compute the same bits.
func checkMasked(t *testing.T, b *Backend, convs []engine.Conv) {
	for i, g := range convs {
		for j, kept := range []float64{0, 0.3, 0.7, 1} {
			chunk := []int{8, 16, 32}[(i+j)%3]
			m := engine.Mask{Chunk: chunk, In: 6, Out: 7}
			if kept == 0.7 { // one side alone
				m.In, m.Out = []engine.Buffer{6, engine.None}[i%2], []engine.Buffer{engine.None, 7}[i%2]
			}
			forward := engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, B: 4, Z: 5, Act: engine.ReLU}
			data := engine.ConvBackwardData{Conv: g, DX: 2, DY: 1, W: 3, Accumulate: i%2 == 0}
			filter := engine.ConvBackwardFilter{Conv: g, DW: 3, DY: 1, X: 2}
			for _, c := range []struct {
				masked, dense engine.Call
				leave         bool
			}{
				{engine.MaskedConvForward{ConvForward: forward, Mask: m, Leave: false}, forward, false},
				{engine.MaskedConvForward{ConvForward: forward, Mask: m, Leave: true}, forward, true},
				{engine.MaskedConvBackwardData{ConvBackwardData: data, Mask: m}, data, false},
				{engine.MaskedConvBackwardFilter{ConvBackwardFilter: filter, Mask: m}, filter, false},
			} {
				t.Run(fmt.Sprintf("%v/kept%g/leave=%v", c.masked, kept, c.leave), func(t *testing.T) {
					x := newMaskedCase(t, g, m, kept)
					want := x.run(t, b, c.dense, 0)
					if c.leave { // what is off keeps what it held
						for i := range want {
							if !x.on[1](i) {
								want[i] = poison
							}
						}
					}
					got := x.run(t, b, c.masked, poison)
					require.Len(t, got, len(want))
					for i := range want {
						if nan := got[i] != got[i] && want[i] != want[i]; !nan && math.Float32bits(got[i]) != math.Float32bits(want[i]) {
							t.Fatalf("element %d of %d: %g, dense %g", i, len(want), got[i], want[i])
						}
					}
				})
			}
		}
	}
}

// checkMaskFilter zeroes what is off in a filter, and no more.
func checkMaskFilter(t *testing.T, b *Backend) {
	g := engine.Conv{N: 1, H: 3, W: 3, C: 67, K: 50, R: 3, S: 3, P: 3, Q: 3, Groups: 1}
	for _, kept := range []float64{0, 0.5, 1} {
		m := engine.Mask{Chunk: 16, In: 6, Out: 7}
		x := newMaskedCase(t, g, m, kept)
		c := engine.MaskFilter{K: g.K, RS: 9, C: g.C, Filter: 3, Mask: m}
		want := slices.Clone(x.memory[3])
		for i := range want {
			if !x.on[3](i) {
				want[i] = 0
			}
		}
		require.Equal(t, want, x.run(t, b, c, poison))
	}
}

var poison = math.Float32frombits(0x7fc0a5a5) // NaN, and none that counts as never written (kernels/emu.h)

// maskedCase is memory for a convolution: y, x, w, b, z and the mask's lists are
// buffers 1 to 7, and on says what of the first five takes part.
type maskedCase struct {
	memory [8][]float32
	on     [6]func(i int) bool
}

func newMaskedCase(t *testing.T, g engine.Conv, m engine.Mask, kept float64) *maskedCase {
	hash := fnv.New64a()
	hash.Write([]byte(t.Name()))
	r := rand.New(rand.NewPCG(hash.Sum64(), 0))
	draw := func(channels int, masked bool) []bool {
		on := make([]bool, ceilDiv(channels, m.Chunk))
		for i := range on {
			on[i] = !masked || r.Float64() < kept
		}
		return on
	}
	in, out := draw(g.C, m.In != engine.None), draw(g.K, m.Out != engine.None)
	inOn := func(c int) bool { return in[c/m.Chunk] }
	outOn := func(k int) bool { return out[k/m.Chunk] }
	c := &maskedCase{}
	noise := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	y := g.N * g.P * g.Q * g.K
	c.memory = [8][]float32{nil, noise(y), noise(g.N * g.H * g.W * g.C), noise(g.K * g.R * g.S * g.C), noise(g.K), noise(y), engine.ChunkList(in), engine.ChunkList(out)}
	ofK := func(i int) bool { return outOn(i % g.K) }
	c.on = [6]func(int) bool{nil, ofK, func(i int) bool { return inOn(i % g.C) },
		func(i int) bool { return inOn(i%g.C) && outOn(i/(g.R*g.S*g.C)) }, ofK, ofK}
	return c
}

// run executes the call with off wherever something does not take part and returns
// what it writes.
func (c *maskedCase) run(t *testing.T, b *Backend, call engine.Call, off float32) []float32 {
	written := call.Operands()[0]
	e, err := b.Prepare(engine.Alone(b, call))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	for _, o := range call.Operands() {
		values := slices.Clone(c.memory[o.Buffer])
		if o.Buffer <= 5 && !(o.Buffer == written.Buffer && accumulates(call)) {
			for j := range values {
				if !c.on[o.Buffer](j) {
					values[j] = off
				}
			}
		}
		require.NoError(t, e.Write(o.Buffer, values))
	}
	require.NoError(t, e.Run(0, 1))
	got := make([]float32, written.Len)
	require.NoError(t, e.Read(got, written.Buffer))
	return got
}

// accumulates says that the call adds to what is there.
func accumulates(c engine.Call) bool {
	switch c := c.(type) {
	case engine.ConvBackwardData:
		return c.Accumulate
	case engine.MaskedConvBackwardData:
		return c.Accumulate
	}
	return false
}
