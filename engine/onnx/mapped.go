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
func mapped(path string, do func(b []byte, release func(part []byte)) error) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil { // a pipe, an empty file
		if b, err = os.ReadFile(path); err != nil {
			return err
		}
		return do(b, func([]byte) {})
	}
	defer unix.Munmap(b)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if _, fault := r.(interface{ Addr() uintptr }); fault {
			err = fmt.Errorf("%s was cut short while it was read", path)
		} else if r != nil {
			panic(r)
		}
	}()
	return do(b, func(part []byte) { release(b, part) })
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
