package cpu

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// Operands are guarded: canaries lie around them, and what is written starts as NaN.
const (
	guardLen = 64
	canary   = 12345
)

type guarded struct{ all, data []float32 }

func newGuarded(n int, fill func() float32) guarded {
	g := guarded{all: aligned(n + 2*guardLen)}
	for i := range g.all {
		g.all[i] = canary
	}
	g.data = g.all[guardLen : guardLen+n : guardLen+n]
	for i := range g.data {
		g.data[i] = fill()
	}
	return g
}

func (g guarded) requireIntact(t *testing.T, what string) {
	t.Helper()
	n := len(g.all)
	for i := range guardLen {
		require.Equal(t, float32(canary), g.all[i], "%s: written %d before its start", what, guardLen-i)
		require.Equal(t, float32(canary), g.all[n-1-i], "%s: written %d after its end", what, guardLen-i)
	}
}

func requireSame(t *testing.T, want, got []float32) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if !(want[i] == got[i]) { // require, which looks for its caller, would take longer than the kernel
			t.Fatalf("element %d is %g, want %g", i, got[i], want[i])
		}
	}
}

// requireIntegers is requireSame for integers that come out of Winograd's transforms: an operand that is left
// out or taken twice is off by one at least.
func requireIntegers(t *testing.T, want, got []float32) {
	t.Helper()
	for i := range want {
		if !(math.Abs(float64(want[i]-got[i])) < 0.05) {
			t.Fatalf("element %d is %g, want %g", i, got[i], want[i])
		}
	}
}

func nan() float32 { return float32(math.NaN()) }

// convCase is a geometry and the terms that go with it.
type convCase struct {
	engine.Conv
	bias, add, accumulate bool
	act                   engine.Act
}

func (c convCase) String() string {
	return engine.ConvForward{Conv: c.Conv, Act: c.act}.String() + fmt.Sprintf("_%t_%t_%t", c.bias, c.add, c.accumulate)
}

// geometry fills in the output's size.
func geometry(n, h, w, c, k, r, s int, stride, pad, dil [2]int, groups int) engine.Conv {
	g := engine.Conv{N: n, H: h, W: w, C: c, K: k, R: r, S: s, Stride: stride, Pad: pad, Dilation: dil, Groups: groups}
	g.P = (h+2*pad[0]-dil[0]*(r-1)-1)/stride[0] + 1
	g.Q = (w+2*pad[1]-dil[1]*(s-1)-1)/stride[1] + 1
	return g
}

func same(a int) [2]int { return [2]int{a, a} }

func convCases() []convCase {
	var cases []convCase
	channels := []int{1, 3, 7, 8, 17, 25, 64}
	add := func(g engine.Conv) {
		i := len(cases)
		cases = append(cases, convCase{g, i%2 == 0, i%3 == 0, i%2 == 1, engine.Act(i % 3)})
	}
	for i, c := range channels {
		k := channels[(i+3)%len(channels)]
		add(geometry(1, 11, 7, c, k, 1, 1, same(1), same(0), same(1), 1))
		add(geometry(3, 5, 7, c, k, 3, 3, same(1), same(1), same(1), 1))
		add(geometry(1, 13, 11, c, k, 3, 3, same(2), same(1), same(1), 1))
		add(geometry(3, 7, 7, c, k, 1, 1, same(2), same(0), same(1), 1))
		add(geometry(1, 11, 13, k, c, 3, 2, [2]int{2, 3}, [2]int{2, 1}, [2]int{1, 2}, 1))
		add(geometry(3, 3, 2, c, k, 3, 3, same(1), same(1), same(1), 1))
		add(geometry(3, 1, 1, c, k, 1, 1, same(1), same(0), same(1), 1))
		add(geometry(1, 17, 31, c, c, 3, 3, same(1), same(1), same(1), c)) // depthwise
		add(geometry(3, 7, 5, c, c, 3, 3, same(2), same(1), same(1), c))
		add(geometry(1, 9, 11, c, c, 2, 5, [2]int{3, 2}, [2]int{1, 2}, [2]int{2, 1}, c))
	}
	add(geometry(2, 17, 19, 3, 25, 7, 7, same(2), same(3), same(1), 1))
	add(geometry(1, 37, 41, 16, 16, 3, 3, same(1), same(1), same(1), 1))
	add(geometry(1, 7, 7, 130, 65, 3, 3, same(1), same(1), same(1), 1)) // sums of several steps
	add(geometry(1, 5, 7, 450, 40, 1, 1, same(1), same(0), same(1), 1))
	add(geometry(2, 5, 3, 64, 70, 3, 3, same(2), same(1), same(1), 1))
	add(geometry(2, 7, 11, 12, 18, 3, 3, same(1), same(1), same(1), 3)) // groups
	add(geometry(1, 9, 7, 34, 50, 3, 3, same(2), same(1), same(1), 2))
	add(geometry(2, 7, 9, 15, 66, 1, 1, same(1), same(0), same(1), 3))
	add(geometry(3, 23, 31, 20, 150, 1, 1, same(2), same(0), same(1), 1)) // few input channels, many slices
	add(geometry(1, 9, 13, 8, 17, 3, 3, same(1), same(2), same(2), 1))    // dilation
	add(geometry(1, 13, 9, 7, 8, 3, 3, same(2), same(3), same(3), 1))
	add(geometry(1, 9, 8, 7, 8, 2, 2, same(3), same(0), same(1), 1)) // pixels that no tap reads
	add(geometry(1, 3, 300, 17, 33, 1, 3, same(1), [2]int{0, 1}, same(1), 1))
	add(geometry(1, 1, 1, 300, 1000, 1, 1, same(1), same(0), same(1), 1)) // linear
	add(geometry(1, 6, 6, 4, 4, 3, 3, same(1), same(2), same(1), 1))      // more output than input
	below := geometry(2, 8, 8, 5, 6, 3, 3, same(2), same(0), same(1), 1)
	below.P, below.Q = 4, 4 // padded below and right only, as TensorFlow's SAME is
	add(below)
	return cases
}

// winogradCases are large enough for Winograd's transforms, each with and without what comes every other time.
func winogradCases() []convCase {
	var cases []convCase
	for _, g := range []engine.Conv{
		geometry(13, 7, 7, 48, 32, 3, 3, same(1), same(1), same(1), 1),
		geometry(1, 30, 29, 48, 16, 3, 3, same(1), same(0), same(1), 1),
		geometry(2, 18, 23, 32, 80, 3, 3, same(1), same(2), same(1), 1),
		geometry(3, 16, 16, 400, 32, 3, 3, same(1), same(1), same(1), 1),
		geometry(1, 14, 15, 64, 192, 3, 3, same(1), same(1), same(1), 1), // few tiles
	} {
		for i := range 3 {
			cases = append(cases, convCase{g, i != 1, i == 0, i == 1, engine.Act(i)})
		}
	}
	return cases
}

func TestConv(t *testing.T) {
	for _, c := range convCases() {
		testConv(t, c, all())
	}
	for _, c := range winogradCases() {
		testConv(t, c, available(FP32)) // bf16 has no transforms
	}
}

func testConv(t *testing.T, c convCase, isas []isa) {
	h := fnv.New64()
	fmt.Fprint(h, c)
	seed := int64(h.Sum64())
	rng := rand.New(rand.NewSource(seed))
	small := func() float32 { return float32(rng.Intn(7) - 3) }
	in, out, fil := c.N*c.H*c.W*c.C, c.N*c.P*c.Q*c.K, c.K*c.R*c.S*c.C/c.Groups
	x, dy, w := newGuarded(in, small), newGuarded(out, small), newGuarded(fil, small)
	b, z, dx := newGuarded(c.K, small), newGuarded(out, small), newGuarded(in, small)
	wantY, wantDX, wantDW := reference(c, x.data, dy.data, w.data, b.data, z.data, dx.data)
	for _, isa := range isas {
		sameY, sameDX, sameDW := requireSame, requireSame, requireSame
		if newWinograd(isa, forwardParts(isa, c.Conv, nil, 1), 1) != nil {
			sameY = requireIntegers
		}
		if newWinogradGradient(isa, c.Conv, nil, 1) != nil {
			sameDW = requireIntegers
		}
		if newWinograd(isa, backwardParts(isa, c.Conv, 1), 1) != nil {
			sameDX = requireIntegers
		}
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%v/%v/%d", c, isa, workers), func(t *testing.T) {
				team := newTeam(workers)
				defer team.close()
				fwd := engine.ConvForward{Conv: c.Conv, Act: c.act}
				bwd := engine.ConvBackwardData{Conv: c.Conv, Accumulate: c.accumulate}
				fil := engine.ConvBackwardFilter{Conv: c.Conv}
				ws := func(call engine.Call) guarded {
					return newGuarded(convWorkspace(isa, call, workers), nan)
				}
				bias, sum := b.data, z.data
				if !c.bias {
					bias = nil
				}
				if !c.add {
					sum = nil
				}
				for _, constant := range []bool{false, true} {
					y, ws := newGuarded(out, nan), ws(fwd)
					o := newConvForward(isa, fwd, y.data, x.data, w.data, bias, sum, ws.data, workers, constant)
					o.run(team)
					o.run(team)
					sameY(t, wantY, y.data)
					y.requireIntact(t, "y")
					ws.requireIntact(t, "workspace")
				}

				got, scratch := newGuarded(in, nan), ws(bwd)
				if c.accumulate {
					copy(got.data, dx.data)
				}
				newConvBackwardData(isa, bwd, got.data, dy.data, w.data, scratch.data, workers).run(team)
				sameDX(t, wantDX, got.data)
				got.requireIntact(t, "dx")
				scratch.requireIntact(t, "workspace")

				got, scratch = newGuarded(len(w.data), nan), ws(fil)
				o := newConvBackwardFilter(isa, fil, nil, got.data, dy.data, x.data, scratch.data, workers)
				o.run(team)
				o.run(team)
				sameDW(t, wantDW, got.data)
				got.requireIntact(t, "dw")
				scratch.requireIntact(t, "workspace")
			})
		}
	}
}

// reference computes the three loops of package engine as they are written there.
func reference(c convCase, x, dy, w, b, z, dx []float32) (y, outDX, dw []float32) {
	cg, kg := c.C/c.Groups, c.K/c.Groups
	sumDX, sumDW := make([]float64, len(x)), make([]float64, len(w))
	lo, hi := bounds(c.act)
	y = make([]float32, len(dy))
	for n := range c.N {
		for p := range c.P {
			for q := range c.Q {
				for k := range c.K {
					o := ((n*c.P+p)*c.Q+q)*c.K + k
					var sum float64
					if c.bias {
						sum += float64(b[k])
					}
					if c.add {
						sum += float64(z[o])
					}
					for r := range c.R {
						for s := range c.S {
							h, v := p*c.Stride[0]+r*c.Dilation[0]-c.Pad[0], q*c.Stride[1]+s*c.Dilation[1]-c.Pad[1]
							if h < 0 || h >= c.H || v < 0 || v >= c.W {
								continue
							}
							for ch := range cg {
								i := ((n*c.H+h)*c.W+v)*c.C + k/kg*cg + ch
								f := ((k*c.R+r)*c.S+s)*cg + ch
								sum += float64(x[i]) * float64(w[f])
								sumDX[i] += float64(dy[o]) * float64(w[f])
								sumDW[f] += float64(dy[o]) * float64(x[i])
							}
						}
					}
					y[o] = min(max(float32(sum), lo), hi)
				}
			}
		}
	}
	outDX, dw = make([]float32, len(x)), make([]float32, len(w))
	for i, v := range sumDX {
		if c.accumulate {
			v += float64(dx[i])
		}
		outDX[i] = float32(v)
	}
	for i, v := range sumDW {
		dw[i] = float32(v)
	}
	return y, outDX, dw
}

// TestDepthwise holds depthwise convolutions of many odd sizes to the loops.
func TestDepthwise(t *testing.T) {
	seed := int64(1)
	if s := os.Getenv("DEPTHWISE_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	rng := rand.New(rand.NewSource(seed))
	for range 120 {
		taps := []int{3, 3, 5, 1 + rng.Intn(7)}[rng.Intn(4)]
		pad, stride, dil := same(rng.Intn(3)), same(1+rng.Intn(3)), same(1)
		if rng.Intn(4) == 0 {
			dil, stride[0] = [2]int{1 + rng.Intn(2), 1 + rng.Intn(2)}, 1+rng.Intn(3)
		}
		channels := 2 + rng.Intn(69)
		g := geometry(1+rng.Intn(3), 1+rng.Intn(20), 1+rng.Intn(40), channels, channels, taps, taps, stride, pad, dil, channels)
		if rng.Intn(8) == 0 {
			g.P, g.Q = g.P+rng.Intn(2), g.Q+rng.Intn(2) // more below and right than above and left
		}
		if g.P < 1 || g.Q < 1 || g.H+2*pad[0] < dil[0]*(taps-1)+1 || g.W+2*pad[1] < dil[1]*(taps-1)+1 {
			continue
		}
		testConv(t, convCase{g, rng.Intn(2) == 0, rng.Intn(2) == 0, rng.Intn(2) == 0, engine.Act(rng.Intn(3))}, all())
	}
}

// TestConvIsDeterministic holds results to the same bits for any number of workers.
func TestConvIsDeterministic(t *testing.T) {
	for _, c := range []engine.Conv{
		geometry(5, 13, 11, 48, 80, 3, 3, same(2), same(1), same(1), 1),
		geometry(2, 17, 15, 130, 70, 3, 3, same(1), same(1), same(1), 1),
		geometry(3, 17, 15, 40, 40, 3, 3, same(1), same(1), same(1), 40),
		geometry(5, 17, 15, 32, 48, 3, 3, same(1), same(1), same(1), 1),
		geometry(1, 14, 15, 64, 192, 3, 3, same(1), same(1), same(1), 1),
	} {
		x, dy, w := noise(c.N*c.H*c.W*c.C), noise(c.N*c.P*c.Q*c.K), noise(c.K*c.R*c.S*c.C/c.Groups)
		for _, isa := range all() {
			var want [3][]float32
			for _, workers := range []int{1, 2, 5} {
				team := newTeam(workers)
				fwd, bwd, fil := engine.ConvForward{Conv: c}, engine.ConvBackwardData{Conv: c}, engine.ConvBackwardFilter{Conv: c}
				ws := func(call engine.Call) []float32 { return aligned(convWorkspace(isa, call, workers)) }
				y, dx, dw := aligned(len(dy)), aligned(len(x)), aligned(len(w))
				newConvForward(isa, fwd, y, x, w, nil, nil, ws(fwd), workers, false).run(team)
				newConvBackwardData(isa, bwd, dx, dy, w, ws(bwd), workers).run(team)
				newConvBackwardFilter(isa, fil, nil, dw, dy, x, ws(fil), workers).run(team)
				team.close()
				for i, got := range [][]float32{y, dx, dw} {
					if want[i] == nil {
						want[i] = got
					}
					requireSame(t, want[i], got)
				}
			}
		}
	}
}

func TestConvKeepsNaN(t *testing.T) {
	c := geometry(1, 5, 5, 3, 20, 3, 3, same(1), same(1), same(1), 1)
	x, y, w := noise(75), aligned(500), noise(20*27)
	x[37] = nan()
	for _, isa := range all() {
		call := engine.ConvForward{Conv: c, Act: engine.ReLU6}
		newConvForward(isa, call, y, x, w, nil, nil, aligned(convWorkspace(isa, call, 1)), 1, false).run(newTeam(1))
		require.True(t, math.IsNaN(float64(y[12*20+19])), "%v: the pixel over the NaN is %g", isa, y[12*20+19])
		require.False(t, math.IsNaN(float64(y[0])), isa)
	}
}

func TestConvRunAllocatesNothing(t *testing.T) {
	for _, size := range []int{9, 25} { // the second by Winograd's transforms
		allocatesNothing(t, geometry(2, size, size, 16, 32, 3, 3, same(1), same(1), same(1), 1))
	}
}

func allocatesNothing(t *testing.T, c engine.Conv) {
	x, y, w := aligned(c.N*c.H*c.W*c.C), aligned(c.N*c.P*c.Q*c.K), aligned(c.K*9*c.C)
	for _, isa := range all() {
		team := newTeam(2)
		defer team.close()
		fwd, bwd, fil := engine.ConvForward{Conv: c}, engine.ConvBackwardData{Conv: c}, engine.ConvBackwardFilter{Conv: c}
		for _, o := range []op{
			newConvForward(isa, fwd, y, x, w, nil, nil, aligned(convWorkspace(isa, fwd, 2)), 2, false),
			newConvBackwardData(isa, bwd, x, y, w, aligned(convWorkspace(isa, bwd, 2)), 2),
			newConvBackwardFilter(isa, fil, nil, w, y, x, aligned(convWorkspace(isa, fil, 2)), 2),
		} {
			require.Zero(t, testing.AllocsPerRun(5, func() { o.run(team) }), "%v %T", isa, o)
		}
	}
}
