package cpu

import "golang.org/x/sys/cpu"

// available lists the instruction sets that run here, the best one last. It asks
// for feature bits, which include the system's support for the wide registers,
// and never for a model number: a new model has the features it says it has.
func available() []isa {
	a := []isa{generic}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		a = append(a, avx2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
			a = append(a, avx512)
		}
	}
	return a
}
