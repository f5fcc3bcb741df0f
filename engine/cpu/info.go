package cpu

import (
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Machine tells what a measurement was taken on.
type Machine struct {
	Model    string   // as the processor calls itself
	Cores    int      // that this process may use
	ISA      string   // the best kernels there are for it
	Features []string // of those the kernels ask for, what it has
	L1D      int      // bytes, of one core; 0 or less where unknown, as below
	L2       int      // bytes, of one core
	L3       int      // bytes, of what one core can reach
}

// Info describes this machine's processor.
func Info() Machine {
	c := cpuid.CPU
	m := Machine{
		Model: strings.TrimSpace(c.BrandName),
		Cores: runtime.GOMAXPROCS(0),
		ISA:   detect().String(),
		L1D:   c.Cache.L1D, L2: c.Cache.L2, L3: c.Cache.L3,
	}
	if m.Model == "" {
		m.Model = runtime.GOARCH
	}
	for _, f := range []cpuid.FeatureID{cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.AVX512BF16} {
		if c.Has(f) {
			m.Features = append(m.Features, strings.ToLower(f.String()))
		}
	}
	return m
}
