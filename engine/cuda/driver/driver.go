// Package driver is the seam between the CUDA backend and what runs its kernels:
// a GPU (driver/cu) or their emulation on the host (driver/emu).
package driver

import (
	"errors"
	"fmt"
)

// ErrLost is among what an error is after which a process has no more of its device.
var ErrLost = errors.New("the device is lost")

// Device runs kernels. Copies, fills and launches happen in the order they are
// asked for; a launch may return before it is done, and its error may come with
// a later call.
type Device interface {
	// Info names the device, "NVIDIA H200" or "emulation", and says what it is.
	Info() Info
	// Alloc returns device memory on a 256-byte boundary, its content undefined.
	// The error is an OutOfMemory when there is not enough.
	Alloc(bytes int64) (Pointer, error)
	Free(Pointer) error
	Zero(dst Pointer, bytes int64) error
	Upload(dst Pointer, src []float32) error
	// NewUploader readies uploads that go on beside the launches.
	NewUploader(bytes int64) (Uploader, error)
	// Download waits for what was launched before it.
	Download(dst []float32, src Pointer) error
	// Kernel finds a kernel by name.
	Kernel(name string) (Kernel, error)
	Launch(Launch) error
	// Record makes one thing to run of many launches, which keep their order. An
	// error is a LaunchError where it is known which one cannot be launched.
	Record([]Launch) (Sequence, error)
	// Synchronize waits for everything that was asked for.
	Synchronize() error
	// NewTimer makes a timer of so many marks.
	NewTimer(marks int) (Timer, error)
	Close() error
}

// Pointer is an address in device memory; 0 is none.
type Pointer uint64

// Offset is the address of the i-th float32 after p.
func (p Pointer) Offset(i int) Pointer { return p + 4*Pointer(i) }

// Kernel is a device's own handle of one of its kernels.
type Kernel any

// Launch is one kernel with its grid and its parameters: data that can be
// launched any number of times.
type Launch struct {
	Kernel  Kernel
	Grid    [3]int32
	Threads int
	Shared  int    // bytes of dynamic shared memory
	Params  []byte // the kernel's parameter struct
}

// Sequence is launches that run as one, any number of times. An error is a
// LaunchError where it is known which launch failed.
type Sequence interface {
	Run() error
	Close() error
}

// Uploader copies to the device through memory of its own, while what was launched
// before goes on.
type Uploader interface {
	// Upload puts src, of the uploader's bytes at most, between what was launched
	// before and what is launched next. It returns when src may change.
	Upload(dst Pointer, src []float32) error
	Close() error
}

// Timer measures on the device, between marks that lie among the launches.
type Timer interface {
	Mark(i int) error
	// NS stores the times from the first marks to those that follow them. It waits for the
	// last of these.
	NS(latencyNS []int64) error
	Close() error
}

// LaunchError is the failure of one launch of many.
type LaunchError struct {
	Index int
	Err   error
}

func (e *LaunchError) Error() string { return e.Err.Error() }

func (e *LaunchError) Unwrap() error { return e.Err }

// OutOfMemory says how much was asked for, how much there was, and of how much: the
// rest may be another process's. Total is 0 where it is not known.
type OutOfMemory struct{ Need, Free, Total int64 }

func (e *OutOfMemory) Error() string {
	of := ""
	if e.Total > 0 {
		of = fmt.Sprintf(" of %.2f", gib(e.Total))
	}
	return fmt.Sprintf("%.2f GiB of device memory needed, %.2f%s GiB free", gib(e.Need), gib(e.Free), of)
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }
