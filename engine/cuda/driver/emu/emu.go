//go:build emu

// Package emu is a device without a GPU: the same kernels, compiled for the host.
package emu

/*
#include <string.h>
*/
import "C"

import (
	"fmt"
	"syscall"
	"unsafe"

	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/atonce"
	"mdp/kernels"
)

// Device launches every kernel at once, to its end.
type Device struct {
	order kernels.Order
	live  map[driver.Pointer]int64 // bytes of each allocation
}

var _ driver.Device = (*Device)(nil)

// Open returns a device that runs threads and blocks in the given order. Memory of one that
// runs the first and last blocks alone is zero, and only virtual where it is not written.
func Open(o kernels.Order) *Device {
	return &Device{o, map[driver.Pointer]int64{}}
}

func (d *Device) Info() driver.Info {
	return driver.Info{Name: fmt.Sprintf("emulation, %v", d.order), L2Bytes: 1 << 20}
}

// Alloc fills new memory with 0xff: what is read before it is written is NaN.
func (d *Device) Alloc(bytes int64) (driver.Pointer, error) {
	p := d.memory(bytes)
	if p == nil {
		return 0, &driver.OutOfMemory{Need: bytes}
	}
	d.live[driver.Pointer(uintptr(p))] = bytes
	return driver.Pointer(uintptr(p)), nil
}

func (d *Device) Free(p driver.Pointer) error {
	bytes, ok := d.live[p]
	if !ok {
		return fmt.Errorf("emu: free of %#x, which was not allocated", uint64(p))
	}
	delete(d.live, p)
	if d.order != kernels.Ends {
		kernels.Free(host(p))
		return nil
	}
	return syscall.Munmap(unsafe.Slice((*byte)(host(p-around)), bytes+2*around))
}

// around sparse memory there is none: an address that is wrong by 2³¹ elements is found.
const around = 16 << 30

func (d *Device) memory(bytes int64) unsafe.Pointer {
	if d.order != kernels.Ends {
		return kernels.Alloc(bytes)
	}
	all, err := syscall.Mmap(-1, 0, int(bytes+2*around), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil || syscall.Mprotect(all[around:around+bytes], syscall.PROT_READ|syscall.PROT_WRITE) != nil {
		return nil
	}
	return unsafe.Pointer(&all[around])
}

func (d *Device) Zero(dst driver.Pointer, bytes int64) error {
	if d.order == kernels.Ends { // it is, and writing it would make it real
		return nil
	}
	C.memset(host(dst), 0, C.size_t(bytes))
	kernels.Written(host(dst), bytes)
	return nil
}

func (d *Device) Upload(dst driver.Pointer, src []float32) error {
	if len(src) > 0 {
		C.memcpy(host(dst), unsafe.Pointer(&src[0]), C.size_t(4*len(src)))
		kernels.Written(host(dst), 4*int64(len(src)))
	}
	return nil
}

func (d *Device) NewUploader(int64) (driver.Uploader, error) { return atonce.Uploader(d), nil }

func (d *Device) Download(dst []float32, src driver.Pointer) error {
	if len(dst) > 0 {
		C.memcpy(unsafe.Pointer(&dst[0]), host(src), C.size_t(4*len(dst)))
	}
	return nil
}

func (d *Device) Kernel(name string) (driver.Kernel, error) { return kernels.Find(name) }

func (d *Device) Launch(l driver.Launch) error {
	return l.Kernel.(kernels.Kernel).Launch(l.Grid, l.Threads, l.Shared, l.Params, d.order)
}

func (d *Device) Record(l []driver.Launch) (driver.Sequence, error) {
	return atonce.Sequence(d.Launch, l), nil
}

func (d *Device) Synchronize() error { return nil }

// Close fails when memory was not freed.
func (d *Device) Close() error {
	if n := len(d.live); n > 0 {
		return fmt.Errorf("emu: %d allocations were not freed", n)
	}
	return nil
}

func (d *Device) NewTimer(marks int) (driver.Timer, error) { return atonce.Timer(marks), nil }

// host is the address as this process sees it: the device's memory is its own.
func host(p driver.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }
