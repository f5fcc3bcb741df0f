// Package device opens by name what a network runs on: the processor, a GPU in
// builds with the tag cuda, or the GPU's emulation in tests with the tag emu.
package device

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/cuda/driver"
	"mdp/engine/sensor"
)

// The precisions of products. Sums are float32 in all of them.
const (
	FP32 = "fp32"
	TF32 = "tf32"
	BF16 = "bf16"
	FP16 = "fp16"
)

// The layouts of cuDNN's convolutions.
const (
	NHWC = "nhwc"
	NCHW = "nchw"
)

// Options name a device and say how it computes.
type Options struct {
	Name      string // cpu, or cuda:0 and so on
	Precision string // fp32, tf32, bf16 or fp16
	Storage   string // of activations, fp32 or, with the same precision, bf16 or fp16; "" is fp32
	Atomics   bool   // of a GPU: cuda.Options.Atomics
	CuDNN     string // of a GPU: NHWC or NCHW, the layout of forward convolutions by cuDNN, to time them; "" is our own
	Keep      bool   // of a GPU: one arena for all plans, which are made and closed by the thousand
	Threads   int    // of the processor; 0 is one for each core
	ISA       string // of the processor's kernels; "" is the best it has
}

// Check reports a name or a precision that no machine has.
func (o Options) Check() error {
	switch o.Precision {
	case FP32, TF32, BF16, FP16:
	default:
		return fmt.Errorf("precision %q is none of %s, %s, %s, %s", o.Precision, FP32, TF32, BF16, FP16)
	}
	switch o.Storage {
	case "", FP32:
	case BF16, FP16:
		if o.Precision != o.Storage {
			return fmt.Errorf("storage %s goes with precision %s, not with %s", o.Storage, o.Storage, o.Precision)
		}
	default:
		return fmt.Errorf("storage %q is none of %s, %s, %s", o.Storage, FP32, BF16, FP16)
	}
	switch {
	case o.CuDNN != "" && !strings.HasPrefix(o.Name, "cuda:"):
		return fmt.Errorf("cuDNN needs a GPU such as cuda:0, not %s", o.Name)
	case o.Name == "cpu" && o.storage() != engine.Float32:
		return fmt.Errorf("storage %s needs a GPU: activations of the processor are %s", o.Storage, FP32)
	case o.Name == "cpu" && o.Atomics:
		return errors.New("atomics need a GPU: the processor adds up in order")
	case o.Name == "cpu" && (o.Precision == TF32 || o.Precision == FP16):
		return fmt.Errorf("precision %s needs a GPU: the processor multiplies in %s or %s", o.Precision, FP32, BF16)
	case o.Name == "cpu", o.Name == "emu" && emulated:
		return nil
	}
	_, err := Ordinal(o.Name)
	return err
}

// storage that Check has passed.
func (o Options) storage() (s engine.Storage) {
	if o.Storage != "" {
		if err := s.UnmarshalText([]byte(o.Storage)); err != nil {
			panic(err)
		}
	}
	return s
}

// Ordinal is the number of a GPU such as cuda:0.
func Ordinal(name string) (int, error) {
	number, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("device %q is neither cpu nor a GPU such as cuda:0; mdp doctor lists them", name)
	}
	return n, nil
}

// Device is an open device.
type Device struct {
	engine.Backend
	Place string // where a GPU sits in this machine, "" for the processor
	sense func() sensor.Sensor
	close func() error
}

// Sensor tells the device's state.
func (d *Device) Sensor() sensor.Sensor { return d.sense() }

// Close gives the device back. What was compiled for it is closed before.
func (d *Device) Close() error { return d.close() }

// Open the device that o names.
func Open(o Options) (*Device, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	switch o.Name {
	case "cpu":
		b, err := cpu.New(cpu.Options{Threads: o.Threads, ISA: o.ISA, Precision: o.Precision})
		if err != nil {
			return nil, err
		}
		return &Device{b, "", sensor.NewProcessor, func() error { return nil }}, nil
	case "emu":
		return openEmulation(o)
	}
	n, err := Ordinal(o.Name)
	if err != nil {
		return nil, err
	}
	return openGPU(n, o)
}

// ErrLost is among what an error is after which this process has no more of its GPU.
var ErrLost = driver.ErrLost

// ErrNoCuDNN says that what was asked of cuDNN cannot be had.
var ErrNoCuDNN = errors.New("our kernels only")

// ErrNoCUDA says that this program cannot use a GPU, wherever it runs.
var ErrNoCUDA = errors.New("this build has no CUDA: make cuda builds bin/mdp-cuda, which has it")
