//go:build cuda

package cudnn

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "calls.h"

static void *open_library(const char *path, int flags) { return dlopen(path, flags); }
*/
import "C"

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"mdp/engine/cuda/driver"
)

// Library is a loaded cuDNN. It stays loaded: what it made may outlive every handle.
type Library struct {
	api  C.cudnn_api
	path string
}

// ErrNone says that there is no cuDNN.
var ErrNone = errors.New("no cuDNN 9: install NVIDIA's, or pip install nvidia-cudnn-cu13, or name its folder in CUDNN_PATH")

// Open loads the first cuDNN 9 there is: what CUDNN_PATH names, the system's, a
// Python environment's. Where there is none the error is ErrNone.
func Open() (*Library, error) {
	var why []string
	for _, path := range places() {
		l, err := open(path)
		if err == nil {
			return l, nil
		}
		why = append(why, err.Error())
	}
	return nil, fmt.Errorf("%w (%s)", ErrNone, strings.Join(why, "; "))
}

func open(path string) (*Library, error) {
	if strings.ContainsRune(path, filepath.Separator) {
		preload(filepath.Dir(path))
	}
	library, err := dlopen(path, C.RTLD_NOW|C.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	l := &Library{path: path}
	if missing := C.cudnn_open(&l.api, library); missing != nil {
		C.dlclose(library)
		return nil, fmt.Errorf("%s has no %s: it is none of cuDNN 9", path, C.GoString(missing))
	}
	if v := C.cudnn_version(&l.api); v < 90000 || v >= 100000 {
		C.dlclose(library)
		return nil, fmt.Errorf("%s is version %d: it is none of cuDNN 9", path, v)
	}
	return l, nil
}

// preload loads the parts of a cuDNN that lies outside the loader's folders, for
// it asks for them by name alone; and what they need of the same environment.
// Those that do not load are told of when they are needed.
func preload(folder string) {
	var parts []string
	for _, pattern := range []string{
		"../../cu13/lib/libcublas*.so.13", "../../cublas/lib/libcublas*.so.12",
		"../../cu13/lib/libnvrtc.so.13", "../../cuda_nvrtc/lib/libnvrtc.so.12", "libcudnn_*.so.9",
	} {
		files, _ := filepath.Glob(filepath.Join(folder, pattern))
		parts = append(parts, files...)
	}
	for loaded := true; loaded; { // a part may need another
		var left []string
		for _, p := range parts {
			if _, err := dlopen(p, C.RTLD_LAZY|C.RTLD_GLOBAL); err != nil {
				left = append(left, p)
			}
		}
		loaded = len(left) < len(parts)
		parts = left
	}
}

func dlopen(path string, flags C.int) (unsafe.Pointer, error) {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	library := C.open_library(text, flags)
	if library == nil {
		return nil, errors.New(C.GoString(C.dlerror()))
	}
	return library, nil
}

// Version is the library's, such as 9.12.0.
func (l *Library) Version() string {
	v := int(C.cudnn_version(&l.api))
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
}

// Path is what it was opened as: a file, or a name that the loader found.
func (l *Library) Path() string { return l.path }

// StatusError is a call that cuDNN did not do.
type StatusError struct {
	Status    int // cudnnStatus_t
	doing, is string
}

func (e *StatusError) Error() string { return fmt.Sprintf("cuDNN: %s: %s", e.doing, e.is) }

// unsupported says that cuDNN has nothing for what it was asked.
func unsupported(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Status >= C.CUDNN_STATUS_NOT_SUPPORTED && s.Status < C.CUDNN_STATUS_NOT_SUPPORTED+1000
}

// status is nil for success, and otherwise says what the library says of it.
func (l *Library) status(s C.int, doing string) error {
	if s == C.CUDNN_STATUS_SUCCESS {
		return nil
	}
	var text [600]C.char
	C.cudnn_explain(&l.api, s, &text[0], C.size_t(len(text)))
	is := strings.Join(strings.Fields(C.GoString(&text[0])), " ")
	return &StatusError{int(s), doing, is}
}

// Handle is cuDNN on a device and a stream.
type Handle struct {
	library *Library
	handle  unsafe.Pointer // of C
}

// NewHandle readies cuDNN on the current CUDA context. Its work goes into the
// stream, a CUstream.
func (l *Library) NewHandle(stream uintptr) (*Handle, error) {
	h := &Handle{library: l}
	if err := l.status(C.cudnn_create(&l.api, &h.handle), "create a handle"); err != nil {
		return nil, err
	}
	if err := l.status(C.cudnn_set_stream(&l.api, h.handle, C.address(stream)), "set the stream"); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Close gives up the handle. Its Convs are closed before.
func (h *Handle) Close() error {
	return h.library.status(C.cudnn_destroy(&h.library.api, h.handle), "destroy the handle")
}

func (o Operands) c() C.cudnn_operands {
	at := func(p driver.Pointer) C.address { return C.address(p) }
	return C.cudnn_operands{x: at(o.X), w: at(o.W), y: at(o.Y), z: at(o.Z), b: at(o.B),
		workspace: at(o.Workspace), workspace_bytes: C.size_t(o.WorkspaceBytes)}
}
