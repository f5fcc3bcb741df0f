//go:build emu

package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

func TestBadUseIsAnError(t *testing.T) {
	d := emu.Open(kernels.Ascending)
	b := backend(t, d, Float32)
	e, err := b.Prepare(onePlan(16))
	require.NoError(t, err)
	require.EqualError(t, e.Write(1, make([]float32, 17)), "cuda: write of 17 elements to buffer 1, which holds 16")
	require.EqualError(t, e.Read(make([]float32, 17), 2), "cuda: read of 17 elements from buffer 2, which holds 16")
	require.EqualError(t, e.Run(0, 2), "cuda: run of calls 0 to 2 of a plan of 1")
	require.EqualError(t, e.Time(make([]int64, 2)), "cuda: 2 latencies for a plan of 1 calls")
	require.NoError(t, e.Run(0, 0))
	require.NoError(t, e.Close())
	require.NoError(t, e.Close(), "twice is once")

	short := onePlan(16)
	short.Spans[2].Len = 15
	_, err = b.Prepare(short)
	require.EqualError(t, err, "cuda: activate+relu/16: x has 16 elements, its buffer holds 15")
	mixed := onePlan(16)
	mixed.Spans[1].Storage = engine.BFloat16
	_, err = b.Prepare(mixed)
	require.EqualError(t, err, "cuda: activate+relu/16: x lies in memory as fp32, another operand as bf16")
	mixed.Spans[2].Storage = engine.BFloat16
	_, err = b.Prepare(mixed)
	require.EqualError(t, err, "cuda: activate+relu/16: activations in bf16 do not go with products in fp32")
	_, err = New(d, Options{Storage: engine.BFloat16})
	require.EqualError(t, err, "cuda: activations in bf16 go with products in bf16, not in fp32")
	norm := onePlan(16)
	norm.Calls[0] = engine.BiasBackward{Rows: 4, C: 4, DB: 1, DY: 2}
	_, err = b.Prepare(norm)
	require.EqualError(t, err, "cuda: bias_backward/4x4: the plan has no workspace of 4 elements")
	require.NoError(t, d.Close(), "a plan that was refused leaves nothing behind")
}

// lost is a device that fails as a GPU does that is gone: whatever is asked for.
type lost struct {
	driver.Device
	err error
}

func (l *lost) Synchronize() error { return l.err }
func (l *lost) Download(dst []float32, src driver.Pointer) error {
	return errors.Join(l.err, l.Device.Download(dst, src))
}

func (l *lost) NewTimer(marks int) (driver.Timer, error) {
	t, err := l.Device.NewTimer(marks)
	return lostTimer{t, l}, err
}

type lostTimer struct {
	driver.Timer
	of *lost
}

func (t lostTimer) NS(latencyNS []int64) error { return errors.Join(t.of.err, t.Timer.NS(latencyNS)) }

func TestAFailedRunNamesItsCalls(t *testing.T) {
	d := emu.Open(kernels.Ascending)
	b := backend(t, &lost{d, &driver.OutOfMemory{Need: 1 << 30}}, Float32)
	e, err := b.Prepare(onePlan(16))
	require.NoError(t, err)
	require.EqualError(t, e.Run(0, 1), "cuda: activate+relu/16: 1.00 GiB of device memory needed, 0.00 GiB free")
	require.EqualError(t, e.Time(make([]int64, 1)), "cuda: activate+relu/16: 1.00 GiB of device memory needed, 0.00 GiB free")
	require.NoError(t, e.Close())

	// Of many calls, the one whose kernel does not run.
	b = backend(t, d, Float32)
	p := onePlan(16)
	p.Calls = append(p.Calls, engine.BiasBackward{Rows: 4, C: 4, DB: 1, DY: 2}, engine.Add{Len: 16, Y: 1, A: 2, B: 2})
	p.Workspace = []engine.Buffer{engine.None, 2, engine.None}
	e, err = b.Prepare(p)
	require.NoError(t, err)
	x := e.(*executor)
	for i, name := range []string{"activate+relu/16", "bias_backward/4x4", "add/16"} {
		last := len(x.launches[i]) - 1
		good := x.launches[i][last].Params
		x.launches[i][last].Params = good[:4] // a kernel with too few
		x.recorded = map[[2]int]driver.Sequence{}
		require.ErrorContains(t, e.Run(0, 3), "cuda: "+name+": emu: kernel ")
		x.launches[i][last].Params = good
	}
	require.NoError(t, e.Close())
	require.NoError(t, d.Close())
}

// A training on it stops, and goes on later from its last checkpoint.
func TestTrainingOnADeviceThatIsLost(t *testing.T) {
	d := emu.Open(kernels.Ascending)
	l := &lost{Device: d}
	checkLost(t, backend(t, l, Float32), func() { l.err = errors.New("gone") }, func() { l.err = nil }, "gone")
	require.NoError(t, d.Close())
}

func TestSizesBeyondTheKernels(t *testing.T) {
	b := backend(t, emu.Open(kernels.Ascending), Float32)
	one := [2]int{1, 1}
	huge := engine.Conv{N: 1 << 16, H: 224, W: 224, C: 3, K: 8, R: 3, S: 3, P: 222, Q: 222, Stride: one, Dilation: one, Groups: 1}
	grouped := engine.Conv{N: 1, H: 1, W: 1, C: 1 << 18, K: 1 << 18, R: 1, S: 1, P: 1, Q: 1, Stride: one, Dilation: one, Groups: 1 << 17}
	for _, c := range []engine.Call{
		engine.ConvForward{Conv: huge, Y: 1, X: 2, W: 3},
		engine.ConvBackwardFilter{Conv: grouped, DW: 1, DY: 2, X: 3},
		engine.Importance{C: 1, Score: make([]engine.Buffer, 241), Signed: make([]engine.Buffer, 241)},
		engine.BatchNormInfer{Rows: 1 << 31, C: 1, Y: 1, X: 2, Gamma: 3, Beta: 4, RunMean: 5, RunVar: 6},
	} {
		require.ErrorIs(t, b.Supports(c), engine.ErrUnsupported, "%v", c)
	}
	huge.N = 1 << 12
	require.NoError(t, b.Supports(engine.ConvForward{Conv: huge, Y: 1, X: 2, W: 3}))
	require.NoError(t, b.Supports(engine.Add{Len: 1 << 32, Y: 1, A: 2, B: 3}), "flat loops count in 64 bits")
}
