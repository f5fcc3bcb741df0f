//go:build emu

package kernels

/*
#cgo CXXFLAGS: -std=c++17 -Wall -Wno-unknown-pragmas -Wno-sign-compare
#include <stdlib.h>

enum emu_order { EMU_ASCENDING, EMU_DESCENDING, EMU_SHUFFLED, EMU_ENDS };
const void *emu_find(const char *);
size_t emu_params(const void *);
void *emu_alloc(size_t);
void emu_free(void *);
void emu_written(const void *, size_t);
const char *emu_launch(const void *, const void *params, const int *grid, int threads, size_t shared, enum emu_order);
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Order is how the emulation takes turns. Results must not depend on it.
type Order int

// The orders of threads and blocks. Of Ends, only the first and the last block of each of
// a grid's axes run where it has more than 64.
const (
	Ascending Order = iota
	Descending
	Shuffled
	Ends
)

func (o Order) String() string {
	return [...]string{"ascending", "descending", "shuffled", "first and last blocks"}[o]
}

// A Kernel compiled for the host.
type Kernel struct {
	name   string
	handle unsafe.Pointer
}

// Find the kernel of that name.
func Find(name string) (Kernel, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	k := C.emu_find(c)
	if k == nil {
		return Kernel{}, fmt.Errorf("emu: there is no kernel %q", name)
	}
	return Kernel{name, k}, nil
}

// Alloc returns device memory of 0xff on a 256-byte boundary, nil where there is not as much.
func Alloc(bytes int64) unsafe.Pointer {
	launching.Lock()
	defer launching.Unlock()
	return C.emu_alloc(C.size_t(bytes))
}

// Free what Alloc returned.
func Free(p unsafe.Pointer) {
	launching.Lock()
	defer launching.Unlock()
	C.emu_free(p)
}

// Written says that the host has put so many bytes there: what checks reads of memory
// that holds nothing (check.h) must know.
func Written(p unsafe.Pointer, bytes int64) { C.emu_written(p, C.size_t(bytes)) }

var launching sync.Mutex // the emulation runs one grid at a time

// Launch runs a grid of blocks and returns when it is done. Params is the
// kernel's parameter struct.
func (k Kernel) Launch(grid [3]int32, threads, sharedBytes int, params []byte, o Order) error {
	if want := int(C.emu_params(k.handle)); len(params) != want {
		return fmt.Errorf("emu: kernel %s takes %d bytes of parameters, got %d", k.name, want, len(params))
	}
	launching.Lock()
	defer launching.Unlock()
	failure := C.emu_launch(k.handle, unsafe.Pointer(&params[0]), (*C.int)(&grid[0]), C.int(threads), C.size_t(sharedBytes), uint32(o))
	if failure != nil {
		return errors.New("emu: kernel " + k.name + ": " + C.GoString(failure))
	}
	return nil
}
