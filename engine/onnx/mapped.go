package onnx

import (
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapped calls do with a file's bytes, mapped instead of read where the file can
// be. Nothing of them may be kept. release says that a part of them is not needed
// any more: its pages leave the process's memory, and come again if they are read
// after all. A file that another process cuts short meanwhile ends in an error.
func mapped(path string, do func(b []byte, release func(part []byte)) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, unmap, err := mapping(f)
	if err != nil { // a pipe, an empty file
		if b, err = os.ReadFile(path); err != nil {
			return err
		}
		return do(b, func([]byte) {})
	}
	defer unmap()
	return unharmed(path, func() error {
		return do(b, func(part []byte) { release(b, part) })
	})
}

// mapping is a regular file's bytes, until unmap is called.
func mapping(f *os.File) (b []byte, unmap func(), err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	b, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	return b, func() { unix.Munmap(b) }, err
}

// unharmed calls do, which reads what is mapped. Where that is gone, so that the
// processor finds nothing at an address, it is an error that says what was cut short.
func unharmed(what string, do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if _, fault := r.(interface{ Addr() uintptr }); fault {
			err = fmt.Errorf("%s was cut short while it was read", what)
		} else if r != nil {
			panic(r)
		}
	}()
	return do()
}

// release lets go of the whole pages in part, where it is a part of b.
func release(b, part []byte) {
	first, at := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	if at < first || at-first > uintptr(len(b)) {
		return
	}
	page := uintptr(os.Getpagesize())
	from := (at - first + page - 1) / page * page // a mapping begins at a page
	to := (at - first + uintptr(len(part))) / page * page
	if from < to {
		unix.Madvise(b[from:to], unix.MADV_DONTNEED) // in vain at worst
	}
}
