//go:build cuda

package cudnn

/*
#include "calls.h"
*/
import "C"

import (
	"unsafe"
)

// builder makes descriptors of the graph API. After the first error it does
// nothing more, and err has it.
type builder struct {
	*Library
	made []unsafe.Pointer
	err  error
}

// descriptor makes one of a type, sets it up and finalizes it.
func (b *builder) descriptor(kind C.int, doing string, set func(d descriptor)) descriptor {
	d := descriptor{b, nil, doing}
	if b.err != nil {
		return d
	}
	if b.err = b.status(C.cudnn_backend_create(&b.api, kind, &d.at), doing); b.err != nil {
		return d
	}
	b.made = append(b.made, d.at)
	set(d)
	if b.err == nil {
		b.err = b.status(C.cudnn_backend_finalize(&b.api, d.at), doing)
	}
	return d
}

// close destroys all that was made, last first.
func (b *builder) close() {
	for i := len(b.made) - 1; i >= 0; i-- {
		C.cudnn_backend_destroy(&b.api, b.made[i])
	}
	b.made = nil
}

// descriptor is one that is being set up.
type descriptor struct {
	*builder
	at    unsafe.Pointer // of C
	doing string
}

func (d descriptor) set(name, kind C.int, n int, values unsafe.Pointer) {
	if d.err == nil {
		d.builder.err = d.status(C.cudnn_backend_set(&d.api, d.at, name, kind, C.int64_t(n), values), d.doing)
	}
}

func (d descriptor) ints(name C.int, values ...int) {
	v := make([]C.int64_t, len(values))
	for i := range v {
		v[i] = C.int64_t(values[i])
	}
	d.set(name, C.CUDNN_TYPE_INT64, len(v), unsafe.Pointer(&v[0]))
}

// enum sets a value of an enumeration, which C keeps as an int.
func (d descriptor) enum(name, kind, value C.int) { d.set(name, kind, 1, unsafe.Pointer(&value)) }

func (d descriptor) truth(name C.int, value bool) {
	v := C.char(0)
	if value {
		v = 1
	}
	d.set(name, C.CUDNN_TYPE_BOOLEAN, 1, unsafe.Pointer(&v))
}

func (d descriptor) float(name C.int, value float32) {
	v := C.float(value)
	d.set(name, C.CUDNN_TYPE_FLOAT, 1, unsafe.Pointer(&v))
}

func (d descriptor) double(name C.int, value float64) {
	v := C.double(value)
	d.set(name, C.CUDNN_TYPE_DOUBLE, 1, unsafe.Pointer(&v))
}

// others sets descriptors.
func (d descriptor) others(name C.int, others ...descriptor) {
	at := make([]unsafe.Pointer, len(others))
	for i, o := range others {
		at[i] = o.at
	}
	d.set(name, C.CUDNN_TYPE_BACKEND_DESCRIPTOR, len(at), unsafe.Pointer(&at[0]))
}

func (d descriptor) handle(name C.int, h unsafe.Pointer) {
	d.set(name, C.CUDNN_TYPE_HANDLE, 1, unsafe.Pointer(&h))
}

// addresses sets device memory.
func (d descriptor) addresses(name C.int, at ...C.address) {
	d.set(name, C.CUDNN_TYPE_VOID_PTR, len(at), unsafe.Pointer(&at[0]))
}

// get reads at most so many values into values and returns how many there were.
func (d descriptor) get(name, kind C.int, most int, values unsafe.Pointer) int {
	var n C.int64_t
	if d.err == nil {
		d.builder.err = d.status(C.cudnn_backend_get(&d.api, d.at, name, kind, C.int64_t(most), &n, values), d.doing)
	}
	return min(int(n), most)
}
