package cpu

// convKernelsOf are the convolution kernels of an instruction set.
func convKernelsOf(i isa) *convKernels { return &genericConv }
