// Package cuda runs plans with the kernels of mdp/kernels, on whatever device
// its driver has: a GPU, or the kernels' emulation on the host. All of it is
// deterministic, unless Options.Atomics gives that up: sums that are split over blocks
// are split by the call's sizes alone and added up in order.
package cuda

import (
	"errors"
	"fmt"

	"mdp/engine"
	"mdp/engine/cuda/driver"
)

// Precision is how convolutions multiply. Sums are float32; depthwise convolutions are
// always exact.
type Precision string

// The precisions: tensor cores round what they multiply to 11, 8 or 11 bits, the last
// of a small range, in which trainings scale their loss.
const (
	Float32  Precision = "fp32"
	TF32     Precision = "tf32"
	BFloat16 Precision = "bf16"
	Float16  Precision = "fp16"
)

// Options of a backend; the zero value is exact.
type Options struct {
	Precision Precision
	Storage   engine.Storage // of activations and their gradients; 16 bits go with products of as many
	Variant   Variant
	Atomics   bool    // parts of weight gradients are added up as they come: in less memory, and never twice the same
	Library   Library // nil: our kernels for every call; it must outlive what the backend prepares
}

// Backend is a device with a precision chosen.
type Backend struct {
	device    driver.Device
	precision Precision
	storage   engine.Storage
	variant   Variant
	atomics   bool
	library   Library
}

var _ engine.Backend = (*Backend)(nil)

// New returns the device as a backend. The device must outlive what the backend
// prepares.
func New(d driver.Device, o Options) (*Backend, error) {
	if o.Precision == "" {
		o.Precision = Float32
	}
	if _, ok := suffix[o.Precision]; !ok {
		return nil, fmt.Errorf("cuda: there is no precision %q; it is %s, %s, %s or %s", o.Precision, Float32, TF32, BFloat16, Float16)
	}
	if !o.Precision.multiplies(o.Storage) {
		return nil, fmt.Errorf("cuda: activations in %v go with products in %v, not in %s", o.Storage, o.Storage, o.Precision)
	}
	if _, ok := gemms[o.Variant]; !ok && o.Variant != Chosen {
		return nil, fmt.Errorf("cuda: there is no variant %q; it is %s, %s, %s, %s, %s, %s, %s, %s, %s or %s", o.Variant, Tiled, Small, Large, Short, Warpgroup, WarpgroupHalf, WarpgroupNarrow, SmallGeneral, LargeGeneral, WarpgroupGeneral)
	}
	if o.Library != nil && o.Storage != engine.Float32 {
		return nil, fmt.Errorf("cuda: %s's convolutions go with activations in %v, not in %v", o.Library.Name(), engine.Float32, o.Storage)
	}
	return &Backend{d, o.Precision, o.Storage, o.Variant, o.Atomics, o.Library}, nil
}

// storage is what this precision multiplies as it lies in memory, or float32.
func (p Precision) storage() (s engine.Storage) {
	if s.UnmarshalText([]byte(p)) != nil { // it has no memory of its own
		return engine.Float32
	}
	return s
}

// multiplies says that there are kernels for what lies in memory so.
func (p Precision) multiplies(s engine.Storage) bool { return s == engine.Float32 || s == p.storage() }

// Name is such as "cuda tf32, NVIDIA H200", or with a library's name in the first's place.
func (b *Backend) Name() string {
	by := "cuda"
	if b.library != nil {
		by = b.library.Name()
	}
	return fmt.Sprintf("%s %s, %s", by, b.precision, b.device.Info().Name)
}

// Info of the GPU; its ISA is such as sm_90, or emulated.
func (b *Backend) Info() engine.Info {
	d := b.device.Info()
	i := engine.Info{Device: "cuda", Model: d.Name, ISA: fmt.Sprintf("sm_%d%d", d.Capability[0], d.Capability[1]), Precision: string(b.precision), Storage: b.storage, Atomics: b.atomics,
		Driver: d.Driver, MemoryBytes: d.MemoryBytes, CacheBytes: d.L2Bytes, SMs: d.SMs, ClockMHz: d.ClockMHz}
	if d.Capability[0] == 0 {
		i.Device, i.ISA = "emu", "emulated"
	}
	return i
}

// maxMembers of a coupled group: kernels/importance.cu.
const maxMembers = 240

// Supports is nil for every call whose sizes the kernels can count.
func (b *Backend) Supports(c engine.Call) error {
	count, most := 0, maxCount // what is counted in 31 bits
	switch c := c.(type) {
	case engine.ConvForward:
		return errors.Join(supportsNoNorm(c, c.XNorm), supportsConv(c, c.Conv))
	case engine.ConvBackwardData:
		return supportsConv(c, c.Conv)
	case engine.ConvBackwardFilter:
		return errors.Join(supportsNoNorm(c, c.XNorm), supportsConv(c, c.Conv))
	case engine.MaskedConvForward:
		return errors.Join(supportsMask(c, c.Mask, c.Conv), supportsConv(c, c.Conv))
	case engine.MaskedConvBackwardData:
		return errors.Join(supportsMask(c, c.Mask, c.Conv), supportsConv(c, c.Conv))
	case engine.MaskedConvBackwardFilter:
		return errors.Join(supportsMask(c, c.Mask, c.Conv), supportsConv(c, c.Conv))
	case engine.MaskFilter:
		return supportsMask(c, c.Mask, engine.Conv{K: c.K, C: c.C, Groups: 1})
	case engine.LoadImages:
		count = max(c.N*c.H*c.W, c.C)
	case engine.MaxPoolForward:
		count = pixelsOf(c.Pool)
	case engine.MaxPoolBackward:
		if count = pixelsOf(c.Pool); !stripsOf(c.Pool, false).fit(c.Pool) || !stripsOf(c.Pool, true).fit(c.Pool) {
			return fmt.Errorf("cuda: %v: too large: %w", c, engine.ErrUnsupported)
		}
	case engine.AvgPoolForward:
		count = pixelsOf(c.Pool)
	case engine.AvgPoolBackward:
		count = pixelsOf(c.Pool)
	case engine.BiasBackward:
		count = c.Rows
	case engine.BatchNormForward:
		if count = c.Rows; !c.Act.Gates() || c.Y == engine.None {
			return fmt.Errorf("cuda: %v: %w", c, engine.ErrUnsupported)
		}
	case engine.ConvBatchNorm:
		if c.Depthwise() {
			return fmt.Errorf("cuda: %v: %w", c, engine.ErrUnsupported)
		}
		return errors.Join(b.Supports(c.ConvForward), b.Supports(c.Norm))
	case engine.BatchNormAgain:
		count = c.Rows
	case engine.BatchNormInfer:
		count = c.Rows
	case engine.BatchNormBackward:
		if count = c.Rows; !c.Act.Gates() {
			return fmt.Errorf("cuda: %v: %w", c, engine.ErrUnsupported)
		}
	case engine.SoftmaxLoss:
		count = max(c.N, c.C)
	case engine.FilterTaylor:
		count = max(c.K, c.Len)
	case engine.Importance:
		count, most = len(c.Score), maxMembers
	case engine.Mul:
		count = c.C
	case engine.GateBackward:
		count = max(c.N, c.Pixels, c.C)
	case engine.Scale:
		count = c.C
	case engine.CopyChannels:
		count = max(c.XC, c.YC)
	case engine.Softmax:
		count = max(c.Rows, c.C)
	case engine.Activate, engine.ActivateBackward, engine.Add, engine.Clamp, engine.ClampBackward, engine.Record, engine.SGD, engine.LossScale, engine.Spin:
	default:
		return fmt.Errorf("cuda: %v: %w", c, engine.ErrUnsupported)
	}
	if count > most {
		return fmt.Errorf("cuda: %v: the kernel counts to %d, not to %d: %w", c, most, count, engine.ErrUnsupported)
	}
	return nil
}

// pixelsOf is how many a kernel counts on the larger side of a pool.
func pixelsOf(g engine.Pool) int { return g.N * max(g.H*g.W, g.P*g.Q) }

// supportsNoNorm refuses a convolution that computes its input.
func supportsNoNorm(c engine.Call, n engine.InputNorm) error {
	if n.Mean != engine.None {
		return fmt.Errorf("cuda: %v: %w", c, engine.ErrUnsupported)
	}
	return nil
}

// maxCount leaves room for a last chunk that is not full.
const maxCount = 1 << 30

// supportsConv checks what a kernel counts in 31 bits and what a grid counts in 16.
func supportsConv(c engine.Call, g engine.Conv) error {
	pixels := g.N * max((g.H+g.Stride[0])*(g.W+g.Stride[1]), g.P*g.Q)
	filter := filterLen(g)
	layers := g.Groups * max(g.Stride[0]*g.Stride[1], filterProduct(g).parts(gemms[Small]), g.R*g.S/g.Groups)
	if pixels > maxCount || filter > maxCount || layers > maxGrid || max(g.C, g.K)/g.Groups/tile >= maxGrid {
		return fmt.Errorf("cuda: %v: too large: %w", c, engine.ErrUnsupported)
	}
	return nil
}

// Slicer is nil: a kernel wants the whole batch.
func (b *Backend) Slicer() engine.Slicer { return nil }

// Workspace is where parts of sums lie until they are added up.
func (b *Backend) Workspace(c engine.Call) int {
	switch c := c.(type) {
	case engine.ConvForward:
		if g := b.padded(c.Conv); g != c.Conv {
			return paddedWords(g.N*g.H*g.W*g.C, true) + paddedWords(filterLen(g), false)
		}
		return b.filterWords(forwardProduct(c.Conv), filterLen(c.Conv))
	case engine.MaskedConvForward:
		return b.Workspace(c.ConvForward)
	case engine.ConvBackwardData:
		return b.filterWords(dataProduct(c.Conv), filterLen(c.Conv))
	case engine.MaskedConvBackwardData:
		return b.Workspace(c.ConvBackwardData)
	case engine.MaskedConvBackwardFilter:
		return b.Workspace(c.ConvBackwardFilter)
	case engine.ConvBackwardFilter:
		if c.Depthwise() {
			return pixels(c.Conv).chunks() * filterLen(c.Conv)
		}
		if g := b.padded(c.Conv); g != c.Conv {
			return paddedWords(g.N*g.H*g.W*g.C, true) + b.mostParts(g)*filterLen(g)
		}
		if parts := b.mostParts(c.Conv); parts > 1 && !b.atomics {
			return parts * filterLen(c.Conv)
		}
	case engine.BiasBackward:
		return sumsOf(c.Rows, c.C).chunks() * c.C
	case engine.ConvBatchNorm:
		return b.Workspace(c.ConvForward) + momentsLen(c)
	case engine.BatchNormForward:
		return 3 * sumsOf(c.Rows, c.C).chunks() * c.C
	case engine.BatchNormBackward:
		return 2 * sumsOf(c.Rows, c.C).chunks() * c.C
	case engine.SoftmaxLoss:
		return 3 * c.N
	case engine.LossScale:
		return int(lossScaleGrid(c)[0])
	}
	return 0
}
