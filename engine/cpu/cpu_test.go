package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

func TestOptions(t *testing.T) {
	b, err := New(Options{Threads: 3, ISA: "generic"})
	require.NoError(t, err)
	assert.Equal(t, "cpu generic, 3 threads", b.Name())

	b, err = New(Options{Threads: 1})
	require.NoError(t, err)
	assert.Equal(t, "cpu "+detect().String()+", 1 thread", b.Name())

	_, err = New(Options{ISA: "neon"})
	assert.ErrorContains(t, err, `no "neon" kernels of fp32; it has generic`)
	_, err = New(Options{Threads: -1})
	assert.ErrorContains(t, err, "-1 threads")
}

func TestInfo(t *testing.T) {
	m := Info()
	assert.NotEmpty(t, m.Model)
	assert.Positive(t, m.Cores)
	assert.Equal(t, detect().String(), m.ISA)
}

// trainingStep is a plan of the calls of a training step that are not convolutions.
func trainingStep(b *Backend, rows, c int) *engine.Plan {
	return engine.Alone(b,
		engine.BatchNormForward{Rows: rows, C: c, Y: 1, X: 2, Z: 3, Gamma: 8, Beta: 9, RunMean: 10, RunVar: 11, Mean: 12, InvStd: 13, Eps: 1e-5, Momentum: .1, Act: engine.ReLU},
		engine.BatchNormBackward{Rows: rows, C: c, DX: 4, DZ: 5, DGamma: 14, DBeta: 15, Signed: 16, DY: 6, Y: 1, X: 2, Gamma: 8, Beta: 9, Mean: 12, InvStd: 13, Act: engine.ReLU},
		engine.Add{Len: rows * c, Y: 7, A: 1, B: 2, Act: engine.ReLU},
		engine.ActivateBackward{Len: rows * c, DX: 4, DY: 5, Y: 7, Act: engine.ReLU, Accumulate: true},
		engine.SoftmaxLoss{N: rows, C: c, Metrics: 17, DX: 5, X: 4, Labels: 18},
		engine.BiasBackward{Rows: rows, C: c, DB: 15, DY: 5},
		engine.SGD{Len: rows * c, Decayed: rows * c / 2, P: 1, V: 2, DP: 3, Hyper: 17},
		engine.Importance{C: c, Score: []engine.Buffer{14}, Signed: []engine.Buffer{16}})
}

func TestRunAllocatesNothing(t *testing.T) {
	for _, isa := range all() {
		b := backend(t, isa, 2)
		e, err := b.Prepare(trainingStep(b, 4099, 17))
		require.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(10, func() { require.NoError(t, e.Run(0, 8)) }), b.Name())
		require.NoError(t, e.Close())
	}
}

func TestExecutorRefusesWhatDoesNotFit(t *testing.T) {
	b := backend(t, generic, 1)
	p := trainingStep(b, 8, 3)
	e, err := b.Prepare(p)
	require.NoError(t, err)
	assert.ErrorContains(t, e.Write(8, make([]float32, 4)), "buffer 8, which holds 3")
	assert.ErrorContains(t, e.Read(make([]float32, 4), 8), "buffer 8, which holds 3")
	assert.ErrorContains(t, e.Run(2, 9), "plan of 8")
	assert.Error(t, e.Run(-1, 2))
	assert.Error(t, e.Run(2, 1))
	assert.Error(t, e.Time(make([]int64, 9)))
	require.NoError(t, e.Time(make([]int64, 8)))
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())

	p.Spans[8].Len = 2
	_, err = b.Prepare(p)
	assert.ErrorContains(t, err, "gamma has 3 elements, its buffer holds 2")
	p.Spans[8].Len, p.Workspace = 3, nil
	_, err = b.Prepare(p)
	assert.ErrorContains(t, err, "workspace holds 0 elements")
}

type unknown struct{ engine.Add }

func TestUnknownCallIsUnsupported(t *testing.T) {
	assert.ErrorIs(t, backend(t, generic, 1).Supports(unknown{}), engine.ErrUnsupported)
}

func TestMemoryIsAligned(t *testing.T) {
	for n := range 40 {
		m := aligned(n + 1)
		assert.Len(t, m, n+1)
		assert.Zero(t, uintptr(unsafe.Pointer(&m[0]))%64)
	}
}

// Sums of a column must not depend on how it is cut up, so neither may the cuts
// depend on anything but its size.
func TestFoldingCoversTheMatrix(t *testing.T) {
	for _, rows := range []int{1, 2, 1000, 4099, 65536} {
		for _, c := range []int{1, 3, 16, 17, 25, 63, 64, 65, 127, 130, 513} {
			f := fold(rows, c)
			assert.Zero(t, f.width%c)
			assert.GreaterOrEqual(t, f.width, foldWidth)
			perChannel := make([]int, c)
			for i := range f.chunks() {
				whole, rest := f.rows(i)
				for j := range f.width {
					perChannel[j%c] += whole
					if j < rest {
						perChannel[j%c]++
					}
				}
			}
			for _, n := range perChannel {
				require.Equal(t, rows, n, "%d x %d", rows, c)
			}
		}
	}
}

// What is written past the caches is the same.
func TestPast(t *testing.T) {
	for _, isa := range all() {
		for _, rows := range []int{1, 7, 300} {
			for _, c := range []int{16, 48, 512} {
				const y, x, z, dy, mean, invStd, gamma, beta, sum = 1, 2, 3, 4, 5, 6, 7, 8, 9
				of, rng := map[engine.Buffer][]float32{}, rand.New(rand.NewPCG(1, 2))
				for b := engine.Buffer(1); b <= sum; b++ {
					of[b] = aligned([]int{rows * c, c}[b/mean])
					for i := range of[b] {
						of[b][i] = float32(rng.NormFloat64())
					}
				}
				forward := engine.BatchNormAgain{Rows: rows, C: c, Y: y, X: x, Gamma: gamma, Beta: beta, Mean: mean, InvStd: invStd, Act: engine.ReLU}
				added := forward
				added.Z = z
				back := engine.BatchNormBackward{Rows: rows, C: c, DX: dy, DZ: y, DY: dy, Y: z, X: x, Gamma: gamma, Beta: beta, Mean: mean, InvStd: invStd, DGamma: sum, DBeta: sum, Act: engine.ReLU}
				pass := map[string]func(past bool) []float32{}
				for _, call := range []engine.BatchNormAgain{forward, added} {
					pass[call.String()] = func(past bool) []float32 {
						o := newBatchNormAgain(rowsFor(isa), call, of, make([]float32, 1<<16)).(*batchNormAgain)
						o.past = past
						o.run(newTeam(1))
						return slices.Clone(of[y])
					}
				}
				pass[back.String()] = func(past bool) []float32 {
					dx, scratch := slices.Clone(of[dy]), make([]float32, 1<<16)
					o := newBatchNormBackward(rowsFor(isa), back, of, &scratch)
					o.past = past
					o.run(newTeam(1))
					both := slices.Concat(of[y], of[dy])
					copy(of[dy], dx)
					return both
				}
				for name, run := range pass {
					require.True(t, slices.Equal(run(false), run(true)), "%v: %s", isa, name)
				}
			}
		}
	}
}

// A network that diverged must say so.
func TestMaximumKeepsNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, isa := range all() {
		y, x := make([]float32, 21), make([]float32, 21)
		y[3], x[5], y[20], x[19] = nan, nan, nan, 7
		rowsFor(isa).larger(y, x)
		for i, v := range y {
			assert.Equal(t, i == 3 || i == 5 || i == 20, v != v, "%v, element %d", isa, i)
		}
		assert.EqualValues(t, 7, y[19])
	}
}

// all lists everything that runs here.
func all() []isa { return append(available(FP32), available(BF16)...) }
