//go:build !amd64

package cpu

// convKernelsOf are the convolution kernels of an instruction set.
func convKernelsOf(i isa) *convKernels {
	if i == genericBF16 {
		return &genericBF16Conv
	}
	return &genericConv
}
