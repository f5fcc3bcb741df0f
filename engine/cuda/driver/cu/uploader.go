//go:build cuda

package cu

/*
#include <cuda.h>
#include <string.h>

// One of two ways a copy goes: pinned memory of the host, memory of the device, and
// when each was filled and is free again.
typedef struct {
	void *host;
	CUdeviceptr device;
	CUevent filled, drained;
} Slot;

#define TRY(call) do { CUresult r = (call); if (r != CUDA_SUCCESS) return r; } while (0)

static CUresult make_slot(Slot *s, size_t bytes) {
	TRY(cuMemHostAlloc(&s->host, bytes, 0));
	TRY(cuMemAlloc(&s->device, bytes));
	TRY(cuEventCreate(&s->filled, CU_EVENT_DISABLE_TIMING));
	return cuEventCreate(&s->drained, CU_EVENT_DISABLE_TIMING);
}

static CUresult free_slot(Slot *s) {
	CUresult host = s->host ? cuMemFreeHost(s->host) : CUDA_SUCCESS;
	CUresult device = s->device ? cuMemFree(s->device) : CUDA_SUCCESS;
	CUresult filled = s->filled ? cuEventDestroy(s->filled) : CUDA_SUCCESS;
	CUresult drained = s->drained ? cuEventDestroy(s->drained) : CUDA_SUCCESS;
	return host ? host : device ? device : filled ? filled : drained;
}

// The bus is crossed on a stream of its own; on the launches' stream lies only the
// copy within the device.
static CUresult upload(CUcontext context, Slot *s, CUdeviceptr dst, const void *src, size_t bytes, CUstream copies, CUstream launches) {
	TRY(cuCtxSetCurrent(context));
	TRY(cuEventSynchronize(s->drained));
	memcpy(s->host, src, bytes);
	TRY(cuMemcpyHtoDAsync(s->device, s->host, bytes, copies));
	TRY(cuEventRecord(s->filled, copies));
	TRY(cuStreamWaitEvent(launches, s->filled, 0));
	TRY(cuMemcpyDtoDAsync(dst, s->device, bytes, launches));
	return cuEventRecord(s->drained, launches);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"

	"mdp/engine/cuda/driver"
)

// uploader takes turns with two slots, on a stream beside that of the launches.
type uploader struct {
	device *Device
	stream C.CUstream
	slots  *[2]C.Slot // apart: what C is given a part of holds no Go pointer
	bytes  int64
	next   int
}

func (d *Device) NewUploader(bytes int64) (driver.Uploader, error) {
	u := &uploader{device: d, slots: new([2]C.Slot), bytes: bytes}
	err := d.do(func() error {
		if err := check("make stream", C.cuStreamCreate(&u.stream, C.CU_STREAM_NON_BLOCKING)); err != nil {
			return err
		}
		for i := range u.slots {
			r := C.make_slot(&u.slots[i], C.size_t(bytes))
			if r == C.CUDA_ERROR_OUT_OF_MEMORY && u.slots[i].host == nil {
				return fmt.Errorf("%.2f GiB of pinned memory cannot be had on the host", float64(bytes)/(1<<30))
			}
			if r == C.CUDA_ERROR_OUT_OF_MEMORY {
				free, _, err := cu.MemInfo()
				return errors.Join(&driver.OutOfMemory{Need: bytes, Free: free}, err)
			}
			if err := check("room for uploads", r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

func (u *uploader) Upload(dst driver.Pointer, src []float32) error {
	if 4*int64(len(src)) > u.bytes {
		return fmt.Errorf("upload of %d bytes through room for %d", 4*len(src), u.bytes)
	}
	if len(src) == 0 {
		return nil
	}
	slot := &u.slots[u.next]
	u.next = 1 - u.next
	return u.device.told(check("upload", C.upload(*(*C.CUcontext)(unsafe.Pointer(&u.device.context)), slot, C.CUdeviceptr(dst),
		unsafe.Pointer(&src[0]), C.size_t(4*len(src)), u.stream, *(*C.CUstream)(unsafe.Pointer(&u.device.stream)))))
}

// Close waits for the copies that are under way.
func (u *uploader) Close() error {
	return u.device.release(func() error {
		var errs []error
		if u.stream != nil {
			errs = append(errs, u.device.stream.Synchronize(), check("destroy stream", C.cuStreamDestroy(u.stream)))
		}
		for i := range u.slots {
			errs = append(errs, check("free room for uploads", C.free_slot(&u.slots[i])))
		}
		return together(errs...)
	})
}
