//go:build cuda

// Package cu is an NVIDIA GPU through gorgonia.org/cu.
package cu

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"mdp/engine/cuda/driver"
	"mdp/kernels"
)

// ErrNoDevice says that there is no GPU, or no driver for it.
var ErrNoDevice = errors.New("no NVIDIA GPU: libcuda.so.1 was not found, or finds no device")

// Device is a GPU with the kernels loaded and one stream for everything.
type Device struct {
	info    driver.Info
	device  cu.Device
	context cu.CUContext
	stream  cu.Stream
	modules []cu.Module
	lost    bool               // by a kernel that failed, which somebody was told
	kernels map[string]*kernel // those that were asked for: a module is searched for longer than a kernel is launched
}

var _ driver.Device = (*Device)(nil)

// Open the GPU of that number, counted as the driver does.
func Open(ordinal int) (*Device, error) {
	all, err := Devices()
	if err != nil {
		return nil, err
	}
	if ordinal < 0 || ordinal >= len(all) {
		return nil, fmt.Errorf("cuda: there is no device cuda:%d; %s", ordinal, there(len(all)))
	}
	info := all[ordinal]
	if err := info.Supported(); err != nil {
		return nil, err
	}
	d := &Device{info: info, kernels: map[string]*kernel{}}
	if d.device, err = cu.GetDevice(ordinal); err != nil {
		return nil, fmt.Errorf("cuda: device %d: %w", ordinal, explain(err))
	}
	if d.context, err = d.device.RetainPrimaryCtx(); err != nil {
		return nil, fmt.Errorf("cuda: %s: %w; another process may have it to itself", d.info.Name, explain(err))
	}
	if err := d.do(d.load); err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %s: %w", d.info.Name, err), d.Close())
	}
	return d, nil
}

// there is which devices a machine of n has.
func there(n int) string {
	if n == 1 {
		return "this machine has cuda:0 alone"
	}
	return fmt.Sprintf("this machine has cuda:0 to cuda:%d", n-1)
}

// load makes the stream and loads the kernels.
func (d *Device) load() (err error) {
	if d.stream, err = cu.MakeStream(cu.DefaultStream); err != nil {
		return err
	}
	images, err := kernels.Fatbins(d.info.Capability)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(images)) {
		m, err := cu.LoadData(images[name])
		if err != nil {
			v := cu.Version()
			return fmt.Errorf("kernels %s.cu do not load: %w; the driver is for CUDA %d.%d, a newer one may be needed", name, explain(err), v/1000, v%1000/10)
		}
		d.modules = append(d.modules, m)
	}
	return nil
}

// do runs f on a thread whose current context is the device's: the context
// belongs to the thread, and a goroutine may change threads between two calls.
func (d *Device) do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(d.context); err != nil {
		return d.told(explain(err))
	}
	return d.told(explain(f()))
}

func (d *Device) told(err error) error {
	d.lost = d.lost || lost(err)
	return err
}

// Lost says that a kernel failed while it ran: this process has no more of the device.
func (d *Device) Lost() bool { return d.lost }

// release is do for giving something back, which a device that is lost need not be told
// of again: the process's end does it.
func (d *Device) release(f func() error) error {
	was := d.lost
	if err := d.do(f); !was {
		return err
	}
	return nil
}

// Do runs f as a library of CUDA's must be called: on a thread whose context is the
// device's.
func (d *Device) Do(f func() error) error { return d.do(f) }

// Stream is the device's CUstream.
func (d *Device) Stream() uintptr { return *(*uintptr)(unsafe.Pointer(&d.stream)) }

func (d *Device) Info() driver.Info { return d.info }

func (d *Device) Alloc(bytes int64) (driver.Pointer, error) {
	var p cu.DevicePtr
	err := d.do(func() (err error) {
		if p, err = cu.MemAlloc(max(bytes, 1)); err != cu.OutOfMemory {
			return err
		}
		free, total, err := cu.MemInfo()
		if err != nil {
			return err
		}
		return &driver.OutOfMemory{Need: bytes, Free: free, Total: total}
	})
	return driver.Pointer(p), err
}

func (d *Device) Free(p driver.Pointer) error {
	return d.release(func() error { return cu.MemFree(cu.DevicePtr(p)) })
}

func (d *Device) Zero(dst driver.Pointer, bytes int64) error {
	return d.do(func() error { return cu.MemsetD8Async(cu.DevicePtr(dst), 0, bytes, d.stream) })
}

func (d *Device) Kernel(name string) (driver.Kernel, error) {
	if k, ok := d.kernels[name]; ok {
		return k, nil
	}
	k := &kernel{name: name}
	err := d.do(func() (err error) {
		for _, m := range d.modules {
			if k.function, err = m.Function(name); err == cu.NotFound {
				continue
			}
			if err == nil {
				err = k.load()
			}
			if err == nil {
				d.kernels[name] = k
			}
			return err
		}
		return fmt.Errorf("there is no kernel %q", name)
	})
	return k, err
}

func (d *Device) Synchronize() error { return d.do(d.stream.Synchronize) }

// Close unloads the kernels, when what was asked for is done. Nothing may use the
// device any more.
func (d *Device) Close() error {
	err := d.release(func() error {
		var errs []error
		if d.stream != cu.NoStream {
			errs = append(errs, d.stream.Synchronize())
		}
		for _, m := range d.modules {
			errs = append(errs, m.Unload())
		}
		if d.stream != cu.NoStream {
			errs = append(errs, d.stream.Destroy())
		}
		return together(errs...)
	})
	return together(err, d.device.ReleasePrimaryCtx())
}
