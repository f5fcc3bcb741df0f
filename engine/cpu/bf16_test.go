package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// rough is a float32 of any kind: of moderate size mostly, but also tiny, huge,
// half way between two bfloat16, denormal, infinite or NaN.
func rough(rng *rand.Rand, finite bool) float32 {
	u := rng.Uint32()
	switch rng.IntN(8) {
	case 0:
		u = u&0x80ff8000 | 0x3f008000 // a tie
	case 1:
		u &= 0x80ffffff // tiny
	case 2:
		u = u&0x80ffffff | 0x60000000 // huge
	case 3:
		if !finite {
			u |= 0x7f800000
		}
	default:
		u = u&0x80ffffff | 0x3e000000
	}
	if u&0x7f800000 == 0x7f800000 && finite {
		u &^= 0x40000000
	}
	return math.Float32frombits(u)
}

// A bfloat16 is the nearer of its two neighbours, the even one of equally near ones.
func TestBFloat16(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		x := rough(rng, true)
		got := bfloat16(x)
		down := math.Float32bits(x) >> 16
		if math.Float32bits(x)&0x7f800000 == 0 {
			require.Equal(t, down&0x8000, got, "%g is denormal", x)
			continue
		}
		value := func(b uint32) float64 {
			if b&0x7fff == 0x7f80 { // infinity stands where the next number would
				return math.Copysign(0x1p128, float64(x))
			}
			return float64(math.Float32frombits(b << 16))
		}
		toDown, toUp := math.Abs(float64(x)-value(down)), math.Abs(float64(x)-value(down+1))
		want := down
		if toUp < toDown || toUp == toDown && down%2 == 1 {
			want++
		}
		require.Equal(t, want, got, "%g (%x)", x, math.Float32bits(x))
	}
	inf := float32(math.Inf(-1))
	require.EqualValues(t, 0xff80, bfloat16(inf))
	require.EqualValues(t, 0x7f80, bfloat16(math.MaxFloat32), "what is nearest to MaxFloat32 is beyond it")
	require.EqualValues(t, 0x7fc1, bfloat16(math.Float32frombits(0x7f810001)), "a NaN stays one, and quiet")
}

func TestDot(t *testing.T) {
	pair := func(lo, hi float32) float32 { return math.Float32frombits(bfloat16(lo) | bfloat16(hi)<<16) }
	require.Equal(t, float32(1+2*3+4*5), dot(1, pair(2, 4), pair(3, 5)))
	const half = 1. / (1 << 24) // of the last place of 1
	require.Equal(t, float32(1+2*half), dot(1, pair(1, 1), pair(1.5*half, 0)), "rounded up")
	require.Equal(t, float32(1+4*half), dot(1, pair(half, 1.5*half), pair(1, 1)), "the second product is added, and rounded, first")
	require.Equal(t, float32(1+2*half), dot(1, pair(1.5*half, half), pair(1, 1)), "the tie goes to even, then the rest is added")
	require.Zero(t, dot(0, pair(0x1p-70, 0), pair(0x1p-70, 0)), "a denormal sum is zero")
}

// The assembly makes the pairs that the loops do, and touches nothing beside them.
func TestPairs(t *testing.T) {
	for _, isa := range available(BF16) {
		rng := rand.New(rand.NewPCG(3, 4))
		any := func() float32 { return rough(rng, false) }
		made := convKernelsOf(isa).pairs
		for n := range 100 {
			for _, pixels := range []int{1, 3} {
				want, got := newGuarded(pixels*ceil(n, 2), nan), newGuarded(pixels*ceil(n, 2), nan)
				src := newGuarded(pixels*(n+5), any)
				narrowGeneric(want.data, src.data, pixels, n, n+5)
				made.narrow(got.data, src.data, pixels, n, n+5)
				requireBits(t, want.data, got.data, "%v narrow %d×%d", isa, pixels, n)
				got.requireIntact(t, "narrow")
			}
			lanes := convKernelsOf(isa).lanes
			for _, cols := range []int{1, lanes - 1, lanes, lanes + 3} {
				width, stride := lanes+3, n+2
				want := make([]float32, ceil(n, 2)*width)
				for j := range lanes {
					for i := range ceil(n, 2) {
						want[i*width+j] = 0
					}
				}
				src := newGuarded((min(cols, lanes)-1)*stride+n, any)
				for j := range min(cols, lanes) {
					column := make([]float32, ceil(n, 2))
					narrowGeneric(column, src.data[j*stride:], 1, n, 0)
					for i, v := range column {
						want[i*width+j] = v
					}
				}
				got := newGuarded(len(want), func() float32 { return 0 })
				made.turn(got.data, src.data, width, stride, cols, n)
				requireBits(t, want, got.data, "%v turn %d×%d", isa, cols, n)
				got.requireIntact(t, "turn")
			}
			lo, hi := newGuarded(n, any), newGuarded(n, any)
			for _, hi := range [][]float32{hi.data, nil} {
				want, got := newGuarded(n, nan), newGuarded(n, nan)
				joinGeneric(want.data, lo.data, hi)
				made.join(got.data, lo.data, hi)
				requireBits(t, want.data, got.data, "%v join %d", isa, n)
				got.requireIntact(t, "join")
			}
		}
	}
}

// VDPBF16PS computes what dot does, whatever the numbers: all directions of a
// convolution have the same bits in Go and in assembly.
func TestBF16IsEmulatedExactly(t *testing.T) {
	sets := available(BF16)
	if len(sets) < 2 {
		t.Skip("this machine has no AVX-512 BF16: the emulation is all there is")
	}
	for i, c := range []engine.Conv{
		geometry(3, 11, 13, 16, 33, 3, 3, same(1), same(1), same(1), 1),
		geometry(2, 13, 11, 40, 48, 3, 3, same(2), same(1), same(1), 1),
		geometry(1, 5, 7, 450, 40, 1, 1, same(1), same(0), same(1), 1), // sums of two steps
		geometry(2, 7, 5, 35, 70, 1, 1, same(2), same(0), same(1), 1),
		geometry(1, 9, 13, 32, 24, 3, 3, same(1), same(2), same(2), 1), // dilation
		geometry(2, 9, 7, 66, 50, 3, 3, same(1), same(1), same(1), 2),  // groups, odd depth
		geometry(9, 2, 2, 24, 40, 3, 3, same(1), same(1), same(1), 1),  // by columns
	} {
		t.Run(c.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, uint64(i)))
			values := func(n int) []float32 {
				return newGuarded(n, func() float32 { return rough(rng, true) }).data
			}
			x, dy, w := values(c.N*c.H*c.W*c.C), values(c.N*c.P*c.Q*c.K), values(c.K*c.R*c.S*c.C/c.Groups)
			bias, z := values(c.K), values(len(dy))
			fwd, bwd, fil := engine.ConvForward{Conv: c}, engine.ConvBackwardData{Conv: c}, engine.ConvBackwardFilter{Conv: c}
			team := newTeam(1)
			defer team.close()
			var want [3][]float32
			for _, isa := range sets {
				ws := func(call engine.Call) []float32 { return aligned(convWorkspace(isa, call, 1)) }
				got := [3][]float32{aligned(len(dy)), aligned(len(x)), aligned(len(w))}
				newConvForward(isa, fwd, got[0], x, w, bias, z, ws(fwd), 1, false).run(team)
				newConvBackwardData(isa, bwd, got[1], dy, w, ws(bwd), 1).run(team)
				newConvBackwardFilter(isa, fil, nil, got[2], dy, x, ws(fil), 1).run(team)
				for d, name := range []string{"y", "dx", "dw"} {
					if want[d] != nil {
						requireBits(t, want[d], got[d], "%s", name)
					}
				}
				want = got
			}
		})
	}
}

func requireBits(t *testing.T, want, got []float32, what string, args ...any) {
	t.Helper()
	for i := range want {
		w, g := math.Float32bits(want[i]), math.Float32bits(got[i])
		bothNaN := want[i] != want[i] && got[i] != got[i] // whose payload is not defined
		require.True(t, w == g || bothNaN, "%s: element %d is %x, want %x", fmt.Sprintf(what, args...), i, g, w)
	}
}
