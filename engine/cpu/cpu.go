// Package cpu runs plans on the machine's processor, in float32, with kernels
// for AVX-512, for AVX2 and in plain Go. Results do not depend on how many
// threads compute them.
package cpu

import (
	"fmt"
	"runtime"
	"strings"

	"mdp/engine"
)

// Options chooses how a backend computes; the zero value uses the whole machine.
type Options struct {
	Threads int    // 0 is one for each core
	ISA     string // generic, avx2 or avx512; "" is the best the machine has
}

// New returns the processor as a backend.
func New(o Options) (*Backend, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads; want 0 (one for each core) or more", o.Threads)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.ISA == "" {
		return &Backend{detect(), o.Threads}, nil
	}
	var names []string
	for _, isa := range available() {
		if isa.String() == o.ISA {
			return &Backend{isa, o.Threads}, nil
		}
		names = append(names, isa.String())
	}
	return nil, fmt.Errorf("cpu: this machine has no %q kernels; it has %s", o.ISA, strings.Join(names, ", "))
}

// Backend is a processor with an instruction set and a number of threads chosen.
type Backend struct {
	isa     isa
	threads int
}

var _ engine.Backend = (*Backend)(nil)

// Name is such as "cpu avx512, 2 threads".
func (b *Backend) Name() string {
	if b.threads == 1 {
		return fmt.Sprintf("cpu %v, 1 thread", b.isa)
	}
	return fmt.Sprintf("cpu %v, %d threads", b.isa, b.threads)
}

// Info of the processor; its ISA is generic, avx2 or avx512.
func (b *Backend) Info() engine.Info {
	m := Info()
	return engine.Info{Device: "cpu", Model: m.Model, ISA: b.isa.String(), Precision: "fp32", Threads: b.threads, CacheBytes: max(0, m.L2, m.L3)}
}
