//go:build !amd64

package cpu

// rowsFor is the row kernels of an instruction set.
func rowsFor(isa) *rows { return &goRows }
