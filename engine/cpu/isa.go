package cpu

import "github.com/klauspost/cpuid/v2"

// isa is an instruction set that the kernels are written for, and how those of
// convolutions multiply.
type isa uint8

const (
	generic     isa = iota // Go
	avx2                   // AVX2 and FMA: 8 lanes
	avx512                 // AVX-512 F, BW, DQ and VL: 16 lanes
	genericBF16            // Go, the factors of convolutions rounded to bfloat16
	avx512BF16             // AVX-512 with BF16, the same
)

// float32 is the same set, multiplying in float32.
func (i isa) float32() isa { return [...]isa{generic, avx2, avx512, generic, avx512}[i] }

// set is the instruction set alone.
func (i isa) set() string { return [...]string{"generic", "avx2", "avx512"}[i.float32()] }

// precision is fp32 or bf16.
func (i isa) precision() string {
	if i >= genericBF16 {
		return BF16
	}
	return FP32
}

func (i isa) String() string {
	if i >= genericBF16 {
		return i.set() + " " + BF16
	}
	return i.set()
}

// detect is the best instruction set that runs here in float32.
func detect() isa {
	a := available(FP32)
	return a[len(a)-1]
}

// available lists what runs here in a precision, the best one last. It asks for
// feature bits, which include the system's support for the wide registers, and
// never for a model number: a new model has the features it says it has.
func available(precision string) []isa {
	wide := cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL)
	a := []isa{generic}
	switch {
	case precision == BF16 && wide && cpuid.CPU.Supports(cpuid.AVX512BF16):
		return []isa{genericBF16, avx512BF16}
	case precision == BF16:
		return []isa{genericBF16}
	case wide:
		return append(a, avx2, avx512)
	case cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3):
		return append(a, avx2)
	}
	return a
}
