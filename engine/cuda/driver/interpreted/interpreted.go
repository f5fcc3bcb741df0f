// Package interpreted is a device without a GPU that runs what nvcc made of the kernels:
// the PTX that is in the fatbins, by the interpreter of mdp/kernels/ptx. It is for tests.
package interpreted

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/atonce"
	"mdp/kernels/ptx"
)

// Device launches every kernel at once, to its end.
type Device struct {
	memory       ptx.Memory
	modules      map[string]*ptx.Module // by the name of a kernel that is in it
	kernels      map[string]*ptx.Kernel // those that were asked for
	Launched     map[string]int         // how often each was
	Instructions int64                  // of all threads
}

var _ driver.Device = (*Device)(nil)

// Open returns a device that has the kernels of PTX, by their sources' names.
func Open(texts map[string]string) (*Device, error) {
	d := &Device{modules: map[string]*ptx.Module{}, kernels: map[string]*ptx.Kernel{}, Launched: map[string]int{}}
	for name, text := range texts {
		m, err := ptx.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, kernel := range m.Kernels() {
			d.modules[kernel] = m
		}
	}
	return d, nil
}

// PTX is what a fatbin has for GPUs that came after it, or nothing. Behind 16 bytes, each part has a header, which begins with
// its kind, its own length and that of what follows it.
func PTX(image string) string {
	for b := []byte(image[16:]); len(b) > 0; {
		kind, header, size := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
		if kind == 1 {
			return strings.TrimRight(string(b[header:][:size]), "\x00")
		}
		b = b[uint64(header)+size:]
	}
	return ""
}

// Kernels are the names of all there are, in order.
func (d *Device) Kernels() []string { return slices.Sorted(maps.Keys(d.modules)) }

// Info has the capability that all kernels are for.
func (d *Device) Info() driver.Info {
	return driver.Info{Name: "PTX, interpreted", Capability: [2]int{9, 0}, SMs: 132, L2Bytes: 1 << 20}
}

func (d *Device) Alloc(bytes int64) (driver.Pointer, error) {
	return driver.Pointer(d.memory.Alloc(bytes)), nil
}
func (d *Device) Free(p driver.Pointer) error { return d.memory.Free(uint64(p)) }

func (d *Device) bytes(p driver.Pointer, n int64) ([]byte, error) {
	b := d.memory.At(uint64(p), int(n))
	if b == nil && n > 0 {
		return nil, fmt.Errorf("interpreted: %d bytes at %#x are not allocated", n, uint64(p))
	}
	return b, nil
}

func (d *Device) Zero(dst driver.Pointer, bytes int64) error {
	b, err := d.bytes(dst, bytes)
	clear(b)
	return err
}

func (d *Device) Upload(dst driver.Pointer, src []float32) error {
	b, err := d.bytes(dst, 4*int64(len(src)))
	if err != nil {
		return err
	}
	for i, v := range src {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return nil
}

func (d *Device) Download(dst []float32, src driver.Pointer) error {
	b, err := d.bytes(src, 4*int64(len(dst)))
	if err != nil {
		return err
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}

func (d *Device) NewUploader(int64) (driver.Uploader, error) { return atonce.Uploader(d), nil }

func (d *Device) Kernel(name string) (driver.Kernel, error) {
	if k, ok := d.kernels[name]; ok {
		return k, nil
	}
	m, ok := d.modules[name]
	if !ok {
		return nil, fmt.Errorf("interpreted: there is no kernel %q", name)
	}
	k, err := m.Kernel(name)
	if err == nil {
		d.kernels[name] = k
	}
	return k, err
}

func (d *Device) Launch(l driver.Launch) error {
	k := l.Kernel.(*ptx.Kernel)
	n, err := k.Launch(&d.memory, ptx.Launch{Grid: l.Grid, Threads: l.Threads, Shared: l.Shared, Params: l.Params})
	d.Launched[k.Name]++
	d.Instructions += n
	return err
}

func (d *Device) Record(l []driver.Launch) (driver.Sequence, error) {
	return atonce.Sequence(d.Launch, l), nil
}

func (d *Device) Synchronize() error { return nil }

// Close fails when memory was not freed.
func (d *Device) Close() error {
	if n := d.memory.Live(); n > 0 {
		return fmt.Errorf("interpreted: %d allocations were not freed", n)
	}
	return nil
}

func (d *Device) NewTimer(marks int) (driver.Timer, error) { return atonce.Timer(marks), nil }
