//go:build !amd64

package cpu

// available lists the instruction sets that run here.
func available() []isa { return []isa{generic} }
