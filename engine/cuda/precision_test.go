//go:build emu || cuda

package cuda

import (
	"errors"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver"
	"mdp/engine/enginetest"
)

func backend(t testing.TB, d driver.Device, p Precision) *Backend { return variant(t, d, p, Chosen) }

func variant(t testing.TB, d driver.Device, p Precision, v Variant) *Backend {
	return with(t, d, Options{Precision: p, Variant: v})
}

func with(t testing.TB, d driver.Device, o Options) *Backend {
	b, err := New(d, o)
	require.NoError(t, err)
	return b
}

// precisions of products, and the narrow kinds of memory that go with them.
var (
	precisions = []Precision{Float32, TF32, BFloat16, Float16}
	narrow     = []engine.Storage{engine.BFloat16, engine.Float16}
)

// in has activations in 16 bits.
func in(t testing.TB, d driver.Device, s engine.Storage, v Variant) *Backend {
	return with(t, d, Options{Precision: Precision(s.String()), Storage: s, Variant: v})
}

// checkPrecisions runs what there is to check of every precision, kind of memory and variant.
func checkPrecisions(t *testing.T, d driver.Device) {
	for _, p := range precisions {
		t.Run("plain "+string(p), func(t *testing.T) { checkPlain(t, d, Options{Precision: p}) })
		for _, v := range variants {
			t.Run(string(p)+" "+string(v), func(t *testing.T) { checkPrecision(t, variant(t, d, p, v), precisionConvs) })
			t.Run("norm "+string(p)+" "+string(v), func(t *testing.T) { checkNorm(t, variant(t, d, p, v), normConvs) })
		}
	}
	for _, s := range narrow {
		t.Run("rounding to "+s.String(), func(t *testing.T) { checkRounding(t, in(t, d, s, Chosen)) })
		t.Run("plain in "+s.String(), func(t *testing.T) { checkPlain(t, d, Options{Precision: Precision(s.String()), Storage: s}) })
		all := append([]Variant{Warpgroup}, variants...)
		if s == engine.BFloat16 { // the same but for the tile
			all = append(all, WarpgroupHalf, WarpgroupNarrow)
		}
		for _, v := range all {
			t.Run("in "+s.String()+" "+string(v), func(t *testing.T) { checkPrecision(t, in(t, d, s, v), precisionConvs) })
			t.Run("masked in "+s.String()+" "+string(v), func(t *testing.T) { checkMasked(t, in(t, d, s, v), maskedConvs) })
			t.Run("norm in "+s.String()+" "+string(v), func(t *testing.T) { checkNorm(t, in(t, d, s, v), normConvs) })
		}
	}
}

// checkPrograms runs whole networks on memory that nobody has cleared.
func checkPrograms(t *testing.T, d driver.Device) {
	for _, o := range []Options{
		{Precision: Float32}, {Precision: BFloat16, Storage: engine.BFloat16}, {Precision: Float16, Storage: engine.Float16},
	} {
		b := with(t, d, o)
		t.Run(string(o.Precision), func(t *testing.T) { enginetest.RunPrograms(t, b) })
	}
}

// checkRounding holds what a device rounds to against what the host does, and what it
// widens: every number that 16 bits have, what lies next to it and half way to the next.
func checkRounding(t *testing.T, b *Backend) {
	var x []float32
	for bits := range 1 << 16 {
		word := math.Float32frombits(uint32(bits))
		v := make([]float32, 1)
		b.storage.Decode(v, []float32{word})
		at := math.Float32bits(v[0])
		for _, near := range []uint32{at, at - 1, at + 1, at + 0x0fff, at + 0x1000, at + 0x1001, at + 0x7fff, at + 0x8000, at + 0x8001} {
			x = append(x, math.Float32frombits(near))
		}
	}
	const y, one, gamma, beta = 1, 2, 3, 4
	n := len(x)
	e, err := b.Prepare(engine.Alone(b, engine.Scale{Rows: 1, C: n, Y: y, X: one, Gamma: gamma, Beta: beta}, engine.Activate{Len: n, Y: one, X: y}))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	ones, zeros := make([]float32, n), make([]float32, n)
	for i := range ones {
		ones[i], zeros[i] = 1, float32(math.Copysign(0, -1)) // which leaves every zero its sign
	}
	require.NoError(t, errors.Join(e.Write(one, ones), e.Write(gamma, x), e.Write(beta, zeros), e.Run(0, 2)))
	rounded, again, words, want := make([]float32, n), make([]float32, n), make([]float32, b.storage.Words(n)), make([]float32, n)
	require.NoError(t, errors.Join(e.Read(rounded, y), e.Read(again, one)))
	b.storage.Encode(words, x)
	b.storage.Decode(want, words)
	for i, w := range want {
		if w != w && rounded[i] != rounded[i] && again[i] != again[i] {
			continue
		}
		require.Equal(t, math.Float32bits(w), math.Float32bits(rounded[i]), "%x (%g) is rounded to %g, not to %g", math.Float32bits(x[i]), x[i], rounded[i], w)
		require.Equal(t, math.Float32bits(w), math.Float32bits(again[i]), "%g, widened and rounded again", w)
	}
}

// onePlan is y = relu(x) over n elements.
func onePlan(n int) *engine.Plan {
	return &engine.Plan{
		Len: 2 * n, Spans: []engine.Span{{}, {Offset: 0, Len: n}, {Offset: n, Len: n}},
		Calls: []engine.Call{engine.Activate{Len: n, Y: 1, X: 2, Act: engine.ReLU}},
	}
}

// variants of the convolutions, each of which computes whatever its sizes allow.
var variants = []Variant{Tiled, Small, Large}

// allowed is the normalised mean squared error of each precision: 4⁻ᵐ for factors
// rounded to m bits, of which rounding makes a third or less; of exact factors, what sums lose.
var allowed = map[Precision]float64{Float32: 1e-12, TF32: 1. / (1 << 22), BFloat16: 1. / (1 << 16), Float16: 1. / (1 << 22)}

// precisionConvs reach every path of every variant.
var precisionConvs = []engine.Conv{
	{N: 2, H: 8, W: 7, C: 17, K: 25, R: 3, S: 3, P: 8, Q: 7, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 1, H: 17, W: 19, C: 3, K: 16, R: 7, S: 7, P: 9, Q: 10, Stride: [2]int{2, 2}, Pad: [2]int{3, 3}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 2, H: 11, W: 13, C: 12, K: 18, R: 5, S: 3, P: 4, Q: 9, Stride: [2]int{2, 1}, Pad: [2]int{0, 0}, Dilation: [2]int{1, 2}, Groups: 3},
	{N: 3, H: 7, W: 7, C: 64, K: 72, R: 1, S: 1, P: 7, Q: 7, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 3, H: 9, W: 7, C: 40, K: 76, R: 3, S: 3, P: 5, Q: 4, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 2, H: 10, W: 9, C: 16, K: 24, R: 3, S: 2, P: 10, Q: 11, Stride: [2]int{1, 1}, Pad: [2]int{2, 2}, Dilation: [2]int{2, 2}, Groups: 2},
	{N: 2, H: 5, W: 6, C: 32, K: 48, R: 3, S: 3, P: 5, Q: 6, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 2},    // groups in eights
	{N: 3, H: 9, W: 10, C: 40, K: 136, R: 3, S: 3, P: 9, Q: 10, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}, // more than a tile of warpgroups each way
	{N: 1, H: 13, W: 11, C: 132, K: 136, R: 1, S: 1, P: 13, Q: 11, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 33, H: 1, W: 1, C: 130, K: 7, R: 1, S: 1, P: 1, Q: 1, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
}

// checkPrecision runs convolutions in all directions: exact on small integers,
// which every precision holds, and within what rounding makes on random numbers.
func checkPrecision(t *testing.T, b *Backend, convs []engine.Conv) {
	for _, g := range convs {
		for _, c := range []engine.Call{
			engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, B: 4, Z: 5, Act: engine.ReLU},
			engine.ConvBackwardData{Conv: g, DX: 1, DY: 2, W: 3, Accumulate: true},
			engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3},
		} {
			t.Run(c.String(), func(t *testing.T) {
				for _, integers := range []bool{true, false} {
					most := 0.
					if !integers {
						most = allowed[rounding(b, c)]
					}
					if err := deviation(t, b, c, integers); !(err <= most) {
						t.Errorf("integers %v: the normalised mean squared error is %.3g, allowed %.3g", integers, err, most)
					} else if !integers {
						assert.Greater(t, err, most/1e5, "too exact: are these the kernels of %s?", b.precision)
					}
				}
			})
		}
	}
}

// rounding is the precision that what a call multiplies is rounded to. A weight
// gradient's factors are activations alone: in 16 bits, they are as they lie.
func rounding(b *Backend, c engine.Call) Precision {
	if _, filter := c.(engine.ConvBackwardFilter); filter && b.storage != engine.Float32 {
		return Float32
	}
	return b.precision
}

// checkPlain holds convolutions of one tap that are addressed as plain products
// against the same with a convolution's addresses, and copies of 8 bytes against those
// of 16: they compute the same bits.
func checkPlain(t *testing.T, d driver.Device, o Options) {
	one := [2]int{1, 1}
	for _, g := range []engine.Conv{
		{N: 2, H: 7, W: 5, C: 40, K: 72, R: 3, S: 2, P: 4, Q: 3, Stride: [2]int{2, 2}, Pad: one, Dilation: one, Groups: 1},
		{N: 3, H: 7, W: 7, C: 64, K: 72, R: 1, S: 1, P: 7, Q: 7, Stride: one, Dilation: one, Groups: 1},
		{N: 1, H: 13, W: 11, C: 132, K: 136, R: 1, S: 1, P: 13, Q: 11, Stride: one, Dilation: one, Groups: 1},
		{N: 2, H: 5, W: 9, C: 24, K: 40, R: 1, S: 1, P: 5, Q: 9, Stride: one, Dilation: one, Groups: 2},
		{N: 5, H: 16, W: 16, C: 16, K: 8, R: 1, S: 1, P: 16, Q: 16, Stride: one, Dilation: one, Groups: 1}, // a split weight gradient
	} {
		for _, c := range []engine.Call{
			engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, B: 4, Z: 5, Act: engine.ReLU},
			engine.ConvBackwardData{Conv: g, DX: 1, DY: 2, W: 3, Accumulate: true},
			engine.ConvBackwardFilter{Conv: g, DW: 1, DY: 2, X: 3},
		} {
			pairs := map[Variant]Variant{Small: SmallGeneral, Large: LargeGeneral}
			if o.Storage != engine.Float32 {
				pairs[Short], pairs[Warpgroup] = SmallGeneral, WarpgroupGeneral
			}
			for special, general := range pairs {
				t.Run(string(special)+" "+c.String(), func(t *testing.T) {
					o.Variant = special
					got, _ := compute(t, with(t, d, o), c, false)
					o.Variant = general
					want, _ := compute(t, with(t, d, o), c, false)
					require.Equal(t, want, got)
				})
			}
		}
	}
}

// deviation runs the call on random data and compares its first operand, which
// is what it writes, with the reference.
func deviation(t *testing.T, b *Backend, c engine.Call, integers bool) float64 {
	got, memory := compute(t, b, c, integers)
	enginetest.Reference(c, memory)
	if c.Operands()[0].Activation {
		round(b.storage, memory[1])
	}
	var difference, norm float64
	for i, v := range memory[1] {
		d := float64(got[i]) - v
		difference += d * d
		norm += v * v
	}
	return difference / norm
}

// round makes of values those that storage has.
func round(s engine.Storage, x []float64) {
	words, value := make([]float32, 1), make([]float32, 1)
	for i, v := range x {
		value[0] = float32(v)
		s.Encode(words, value)
		s.Decode(value, words)
		x[i] = float64(value[0])
	}
}

// compute runs the call on random data and returns its first operand, which is what
// it writes, and the data.
func compute(t *testing.T, b *Backend, c engine.Call, integers bool) ([]float32, enginetest.Memory) {
	hash := fnv.New64a()
	hash.Write([]byte(c.String()))
	rng := rand.New(rand.NewPCG(hash.Sum64(), 0))
	memory := enginetest.Memory{}
	for _, o := range c.Operands() {
		x := make([]float64, o.Len)
		for i := range x {
			x[i] = float64(float32(rng.NormFloat64()))
			if integers {
				x[i] = float64(rng.IntN(7) - 3)
			}
		}
		memory[o.Buffer] = x
		if o.Activation {
			round(b.storage, x)
		}
	}
	e, err := b.Prepare(engine.Alone(b, c))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	for buffer, x := range memory {
		narrow := make([]float32, len(x))
		for i, v := range x {
			narrow[i] = float32(v)
		}
		require.NoError(t, e.Write(buffer, narrow))
	}
	require.NoError(t, e.Run(0, 1))
	got := make([]float32, len(memory[1]))
	require.NoError(t, e.Read(got, 1))
	return got, memory
}
