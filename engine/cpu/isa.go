package cpu

// isa is an instruction set that the kernels are written for.
type isa uint8

const (
	generic isa = iota // Go
	avx2               // AVX2 and FMA: 8 lanes
	avx512             // AVX-512 F, BW, DQ and VL: 16 lanes
)

func (i isa) String() string { return [...]string{"generic", "avx2", "avx512"}[i] }

// detect is the best instruction set that the CPU and the system both support.
func detect() isa {
	a := available()
	return a[len(a)-1]
}
