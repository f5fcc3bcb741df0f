// Package cpu runs plans on the machine's processor, in float32, with kernels
// for AVX-512, for AVX2 and in plain Go. Where it has AVX-512 BF16, convolutions
// can round their factors to bfloat16 instead. Results do not depend on how many
// threads compute them.
//
// In training, what batch norm costs is what it reads. Its statistics are gathered from
// a convolution's panels while they are in the cache (conv_moments.go), and so are the
// sums of its backward pass (conv_gradients.go); an output that convolutions alone read
// is never written, but computed as they copy it (conv_norm.go). Depthwise convolutions
// take statistics and sums in registers (conv_depthwise_moments.go,
// conv_depthwise_gradients.go).
//
// The threads share each call of a training step (team.go). In inference a batch is cut
// into slices where there are enough of them: each thread takes some images through
// many calls by itself (lane.go).
package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"mdp/engine"
)

// Options chooses how a backend computes; the zero value uses the whole machine.
type Options struct {
	Threads   int    // 0 is one for each core
	ISA       string // generic, avx2 or avx512; "" is the best the machine has
	Precision string // FP32 or BF16; "" is FP32
}

// The precisions of products. Sums are float32 in both, and so is memory.
const (
	FP32 = "fp32"
	BF16 = "bf16" // factors rounded to bfloat16, of all but depthwise convolutions
)

// New returns the processor as a backend.
func New(o Options) (*Backend, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads; want 0 (one for each core) or more", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Precision == "" {
		o.Precision = FP32
	}
	if o.Precision != FP32 && o.Precision != BF16 {
		return nil, fmt.Errorf("cpu: precision %q is neither %s nor %s", o.Precision, FP32, BF16)
	}
	sets := available(o.Precision)
	best := sets[len(sets)-1]
	if o.ISA == "" && best != genericBF16 {
		return &Backend{best, o.Threads, 1}, nil
	}
	if o.ISA == "" {
		return nil, errors.New("cpu: this machine has no AVX-512 BF16, without which bf16 is slower than fp32; generic kernels emulate it")
	}
	var names []string
	for _, isa := range sets {
		if isa.set() == o.ISA {
			return &Backend{isa, o.Threads, 1}, nil
		}
		names = append(names, isa.set())
	}
	return nil, fmt.Errorf("cpu: this machine has no %q kernels of %s; it has %s", o.ISA, o.Precision, strings.Join(names, ", "))
}

// Backend is a processor with an instruction set and a number of threads chosen.
type Backend struct {
	isa     isa
	threads int
	slices  int // of a batch, of which its calls are one
}

var (
	_ engine.Backend = (*Backend)(nil)
	_ engine.Slicer  = (*Backend)(nil)
)

// Name is such as "cpu avx512, 2 threads".
func (b *Backend) Name() string {
	if b.threads == 1 {
		return fmt.Sprintf("cpu %v, 1 thread", b.isa)
	}
	return fmt.Sprintf("cpu %v, %d threads", b.isa, b.threads)
}

// Info of the processor; its ISA is generic, avx2 or avx512, its precision fp32 or bf16.
func (b *Backend) Info() engine.Info {
	m := Info()
	return engine.Info{Device: "cpu", Model: m.Model, ISA: b.isa.set(), Precision: b.isa.precision(), Threads: b.threads, CacheBytes: max(0, m.L2, m.L3)}
}
