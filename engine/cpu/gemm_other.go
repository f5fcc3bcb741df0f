//go:build !amd64

package cpu

// convKernelsOf are the convolution kernels of an instruction set.
func convKernelsOf(isa) *convKernels { return &genericConv }
