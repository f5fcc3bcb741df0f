package cpu

import "github.com/klauspost/cpuid/v2"

// isa is an instruction set that the kernels are written for.
type isa uint8

const (
	generic isa = iota // Go
	avx2               // AVX2 and FMA: 8 lanes
	avx512             // AVX-512 F, BW, DQ and VL: 16 lanes
)

func (i isa) String() string { return [...]string{"generic", "avx2", "avx512"}[i] }

// detect is the best instruction set that runs here.
func detect() isa {
	a := available()
	return a[len(a)-1]
}

// available lists the instruction sets that run here, the best one last. It asks
// for feature bits, which include the system's support for the wide registers,
// and never for a model number: a new model has the features it says it has.
func available() []isa {
	a := []isa{generic}
	if cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		a = append(a, avx2)
		if cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
			a = append(a, avx512)
		}
	}
	return a
}
