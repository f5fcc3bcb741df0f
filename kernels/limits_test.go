//go:build cuda

package kernels_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda"
	"mdp/engine/cuda/driver"
	"mdp/engine/enginetest"
	"mdp/engine/nets"
	"mdp/kernels"
)

// limits of a block, of GPUs that run an architecture's code. All of them have 64 Ki
// registers for it and 1024 threads, and grids of 2³¹−1 × 65535 × 65535 blocks.
var limits = []struct {
	capability   [2]int
	architecture string
	shared       int // bytes, at most, static and dynamic together
}{
	{[2]int{8, 0}, "sm_80", 163 << 10},
	{[2]int{8, 6}, "sm_80", 99 << 10},
	{[2]int{8, 9}, "sm_80", 99 << 10},
	{[2]int{9, 0}, "sm_90", 227 << 10},
}

// TestLaunchesAreWithinLimits holds every launch that calls become, of every precision,
// kind of memory and variant, against the machine code: a GPU would refuse what is more
// than a block may have, a parameter struct of another length, or a kernel that it has not.
func TestLaunchesAreWithinLimits(t *testing.T) {
	compiled := kernels.AllCompiled(t)
	recorded := map[int]*recorder{}
	for _, l := range limits {
		t.Run(fmt.Sprintf("%d.%d", l.capability[0], l.capability[1]), func(t *testing.T) {
			d := recorded[l.capability[0]]
			if d == nil {
				d = &recorder{capability: l.capability, largest: map[shape]driver.Launch{}}
				recorded[l.capability[0]] = d
				record(t, d)
			}
			launched := map[string]bool{}
			for s, launch := range d.largest {
				launched[s.kernel] = true
				k, ok := compiled[l.architecture][s.kernel]
				if !assert.True(t, ok, "%s has no %s", l.architecture, s.kernel) {
					continue
				}
				assert.LessOrEqual(t, k.StaticShared+s.shared, l.shared, "%s: %d bytes of shared memory of its own and %d of the launch", s.kernel, k.StaticShared, s.shared)
				assert.LessOrEqual(t, k.StaticShared, 5<<10, "%s: static shared memory, of which the emulated driver thinks so", s.kernel)
				assert.LessOrEqual(t, s.threads, k.Threads, "%s: threads of a block", s.kernel)
				registers := (32*k.Registers + 255) / 256 * 256 * ((s.threads + 31) / 32) // as they are shared out
				assert.LessOrEqual(t, registers, 64<<10, "%s: registers of a block", s.kernel)
				assert.Equal(t, k.Params, s.params, "%s: bytes of parameters", s.kernel)
				g := launch.Grid
				assert.True(t, g[0] >= 1 && g[1] >= 1 && g[2] >= 1 && g[1] <= 65535 && g[2] <= 65535, "%s: a grid of %v", s.kernel, g)
			}
			for name := range compiled[l.architecture] {
				if forWarpgroups := strings.HasPrefix(name, "narrow_"); forWarpgroups && l.architecture != "sm_90" {
					continue
				}
				if !launched[name] && name != "spin" { // the instrument's
					t.Errorf("%s: no call launches it", name)
				}
			}
		})
	}
}

// record lowers every call, convolutions of all kinds of channels in every variant, and the
// steps of a large network.
func record(t *testing.T, d *recorder) {
	resnet, err := nets.Build("resnet50", nets.Options{})
	require.NoError(t, err)
	training, err := resnet.WithLoss(0.1)
	require.NoError(t, err)
	variants := []cuda.Variant{cuda.Chosen, cuda.Tiled, cuda.Small, cuda.Large, cuda.Short, cuda.SmallGeneral, cuda.LargeGeneral, cuda.Warpgroup, cuda.WarpgroupHalf, cuda.WarpgroupNarrow, cuda.WarpgroupGeneral}
	for _, o := range []cuda.Options{{}, {Atomics: true}, {Precision: cuda.TF32}, {Precision: cuda.BFloat16}, {Precision: cuda.Float16},
		{Precision: cuda.BFloat16, Storage: engine.BFloat16}, {Precision: cuda.Float16, Storage: engine.Float16}} {
		for _, o.Variant = range variants {
			b, err := cuda.New(d, o)
			if err != nil && strings.Contains(err.Error(), "there is no variant") {
				continue
			}
			require.NoError(t, err)
			for _, c := range convolutions() {
				d.lower(t, b, c)
			}
			if o.Variant != cuda.Chosen {
				continue
			}
			d.lower(t, b, engine.LoadImages{N: 256, H: 224, W: 224, C: 3, Y: 1, Pixels: 2, Moves: 3, Mean: 4, Scale: 5})
			for _, batch := range []int{1, 256} {
				p, err := engine.Compile(training, b, engine.Options{Mode: engine.Train, Batch: batch, MaskChunk: 8})
				require.NoError(t, err)
				d.run(t, p)
			}
			if o.Precision == "" && !o.Atomics || o.Storage != engine.Float32 {
				enginetest.RunIdentical(t, b, b)
			}
		}
	}
}

// convolutions of channels by ones, fours and eights, of one tap and of many, in all
// directions, masked, and before a batch norm.
func convolutions() (all []engine.Call) {
	for _, g := range []engine.Conv{
		{N: 2, H: 9, W: 7, C: 3, K: 5},
		{N: 2, H: 9, W: 7, C: 12, K: 20},
		{N: 2, H: 9, W: 7, C: 64, K: 136},
		{N: 512, H: 56, W: 56, C: 256, K: 512},
	} {
		for _, taps := range []int{1, 3} {
			g.R, g.S, g.P, g.Q, g.Pad = taps, taps, g.H, g.W, [2]int{taps / 2, taps / 2}
			g.Stride, g.Dilation, g.Groups = [2]int{1, 1}, [2]int{1, 1}, 1
			forward := engine.ConvForward{Conv: g, Y: 1, X: 2, W: 3, B: 4}
			data, filter := engine.ConvBackwardData{Conv: g, DX: 2, DY: 1, W: 3}, engine.ConvBackwardFilter{Conv: g, DW: 3, DY: 1, X: 2}
			m := engine.Mask{Chunk: 8, In: 5, Out: 6}
			norm := engine.BatchNormForward{Rows: g.N * g.P * g.Q, C: g.K, X: 1, Y: 7, Gamma: 8, Beta: 9, RunMean: 10, RunVar: 11, Mean: 12, InvStd: 13}
			all = append(all, forward, data, filter, engine.ConvBatchNorm{ConvForward: forward, Norm: norm}, engine.MaskedConvForward{ConvForward: forward, Mask: m},
				engine.MaskedConvBackwardData{ConvBackwardData: data, Mask: m}, engine.MaskedConvBackwardFilter{ConvBackwardFilter: filter, Mask: m})
		}
	}
	return all
}

// A recorder is a device that computes nothing and keeps what it was to launch.
type recorder struct {
	capability [2]int
	largest    map[shape]driver.Launch
}

// What launches of a kernel differ in, but for their grids.
type shape struct {
	kernel                  string
	threads, shared, params int
}

// lower prepares and runs one call.
func (r *recorder) lower(t *testing.T, b *cuda.Backend, c engine.Call) {
	e, err := b.Prepare(engine.Alone(b, c))
	require.NoError(t, err)
	require.NoError(t, e.Run(0, 1))
	require.NoError(t, e.Close())
}

func (r *recorder) run(t *testing.T, p *engine.Program) {
	require.NoError(t, p.Time(make([]int64, len(p.Plan().Calls))))
	require.NoError(t, p.Close())
}

func (r *recorder) Launch(l driver.Launch) error {
	s := shape{l.Kernel.(string), l.Threads, l.Shared, len(l.Params)}
	if was, ok := r.largest[s]; !ok || int64(l.Grid[1])*int64(l.Grid[2]) > int64(was.Grid[1])*int64(was.Grid[2]) || min(l.Grid[0], l.Grid[1], l.Grid[2]) < 1 {
		r.largest[s] = l
	}
	return nil
}

func (r *recorder) Record(all []driver.Launch) (driver.Sequence, error) {
	for _, l := range all {
		if err := r.Launch(l); err != nil {
			return nil, err
		}
	}
	return nothing{}, nil
}

func (r *recorder) Info() driver.Info {
	return driver.Info{Name: "recorder", Capability: r.capability, SMs: 132, ClockMHz: 1000}
}
func (r *recorder) Alloc(int64) (driver.Pointer, error)        { return 1 << 20, nil }
func (r *recorder) Free(driver.Pointer) error                  { return nil }
func (r *recorder) Zero(driver.Pointer, int64) error           { return nil }
func (r *recorder) Upload(driver.Pointer, []float32) error     { return nil }
func (r *recorder) Download([]float32, driver.Pointer) error   { return nil }
func (r *recorder) NewUploader(int64) (driver.Uploader, error) { return nil, errors.ErrUnsupported }
func (r *recorder) Kernel(name string) (driver.Kernel, error)  { return name, nil }
func (r *recorder) Synchronize() error                         { return nil }
func (r *recorder) NewTimer(int) (driver.Timer, error)         { return nothing{}, nil }
func (r *recorder) Close() error                               { return nil }

type nothing struct{}

func (nothing) Run() error       { return nil }
func (nothing) Close() error     { return nil }
func (nothing) Mark(int) error   { return nil }
func (nothing) NS([]int64) error { return nil }
