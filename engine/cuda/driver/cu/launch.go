//go:build cuda

package cu

/*
#cgo LDFLAGS: -lcuda
#include <cuda.h>

// Sets the thread's context and launches with the whole parameter struct as one
// block: gorgonia.org/cu passes only separate arguments of 8 bytes.
static CUresult launch(CUcontext context, CUfunction f, const int *grid, unsigned threads, unsigned shared, CUstream stream, void *params, size_t bytes) {
	void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, params, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, CU_LAUNCH_PARAM_END};
	CUresult r = cuCtxSetCurrent(context);
	if (r != CUDA_SUCCESS) return r;
	return cuLaunchKernel(f, grid[0], grid[1], grid[2], threads, 1, 1, shared, stream, NULL, extra);
}

static CUresult ask_for_shared(CUcontext context, CUfunction f, unsigned bytes) {
	CUresult r = cuCtxSetCurrent(context);
	if (r != CUDA_SUCCESS) return r;
	return cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
}

static const char *describe(CUresult r) {
	const char *text = NULL;
	cuGetErrorString(r, &text);
	return text ? text : "unknown error";
}
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"gorgonia.org/cu"

	"mdp/engine/cuda/driver"
)

// kernel is a function with its name for errors.
type kernel struct {
	name     string
	function cu.Function
	shared   int // bytes of dynamic shared memory, the most that was asked for
}

// load puts the kernel's code on the device now: a driver that does so when a kernel is
// first launched does not while a graph is captured, and takes its time.
func (k *kernel) load() error {
	r := C.cuFuncLoad(k.c())
	if r == C.CUDA_ERROR_NOT_SUPPORTED { // a driver before 12.4
		return nil
	}
	return check("load "+k.name, r)
}

// c is the driver's handle: gorgonia.org/cu's are structs of one pointer.
func (k *kernel) c() C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&k.function)) }

// Launch does not wait. Without being asked, a kernel has 48 KiB of shared memory less
// what is static of it. What was asked for stays: a graph may hold the larger launch.
func (d *Device) Launch(l driver.Launch) error {
	k, context := l.Kernel.(*kernel), *(*C.CUcontext)(unsafe.Pointer(&d.context))
	if l.Shared > k.shared {
		if err := check(k.name, C.ask_for_shared(context, k.c(), C.uint(l.Shared))); err != nil {
			return d.told(err)
		}
		k.shared = l.Shared
	}
	r := C.launch(context, k.c(),
		(*C.int)(&l.Grid[0]), C.uint(l.Threads), C.uint(l.Shared), *(*C.CUstream)(unsafe.Pointer(&d.stream)),
		unsafe.Pointer(&l.Params[0]), C.size_t(len(l.Params)))
	return d.told(check(k.name, r))
}

// failure is what the driver answers instead of success, in its own text.
type failure struct {
	what string
	code C.CUresult
}

func (f failure) Error() string {
	hint := ""
	if f.fatal() && !blocking() {
		hint = "; with CUDA_LAUNCH_BLOCKING=1 it tells which call"
	}
	return fmt.Sprintf("%s: %s (CUDA error %d)%s", f.what, C.GoString(C.describe(f.code)), int(f.code), hint)
}

// fatal says that a kernel failed while it ran: the process has lost the device,
// and whatever it asks for next has the same answer.
func (f failure) fatal() bool {
	return f.code >= C.CUDA_ERROR_ILLEGAL_ADDRESS && f.code <= C.CUDA_ERROR_LAUNCH_FAILED && f.code != C.CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES
}

// Is says of a failure after which the device is lost that it is that, too.
func (f failure) Is(err error) bool { return err == driver.ErrLost && f.fatal() }

// check is nil for success.
func check(what string, r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return failure{what, r}
}

// explain gives gorgonia.org/cu's errors, which are plain numbers, the driver's text.
func explain(err error) error {
	if v := reflect.ValueOf(err); err != nil && v.CanInt() {
		return check("the driver", C.CUresult(v.Int()))
	}
	return err
}

func lost(err error) bool {
	var f failure
	return errors.As(err, &f) && f.fatal()
}

// together is all errors, or the one that they all are where the device is lost.
func together(errs ...error) error {
	for i := range errs {
		if errs[i] = explain(errs[i]); lost(errs[i]) {
			return errs[i]
		}
	}
	return errors.Join(errs...)
}
