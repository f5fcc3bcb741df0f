//go:build cuda

package cu

// #include <cuda.h>
import "C"

import (
	"unsafe"

	"mdp/engine/cuda/driver"
)

// The copies are called here because a slice may be part of an object that holds
// Go pointers: cgo lets it pass only where it sees the slice itself. They go
// through the default stream, which keeps its order with the device's, and wait.

func (d *Device) Upload(dst driver.Pointer, src []float32) error {
	if len(src) == 0 {
		return nil
	}
	return d.do(func() error {
		return check("upload", C.cuMemcpyHtoD(C.CUdeviceptr(dst), unsafe.Pointer(&src[0]), C.size_t(4*len(src))))
	})
}

func (d *Device) Download(dst []float32, src driver.Pointer) error {
	if len(dst) == 0 {
		return nil
	}
	return d.do(func() error {
		return check("download", C.cuMemcpyDtoH(unsafe.Pointer(&dst[0]), C.CUdeviceptr(src), C.size_t(4*len(dst))))
	})
}
