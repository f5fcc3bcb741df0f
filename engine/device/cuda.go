//go:build cuda

package device

import (
	"errors"
	"fmt"

	"mdp/engine/cuda"
	"mdp/engine/cuda/cudnn"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/cu"
	"mdp/engine/cuda/nvml"
	"mdp/engine/sensor"
)

func openGPU(ordinal int, o Options) (*Device, error) {
	gpu, err := cu.Open(ordinal)
	if err != nil {
		return nil, err
	}
	var d driver.Device = gpu
	if o.Keep {
		d = driver.Keep(gpu)
	}
	at, closeAll := cuda.Options{Precision: cuda.Precision(o.Precision), Storage: o.storage(), Atomics: o.Atomics}, d.Close
	if o.CuDNN != "" {
		layout := cudnn.NHWC
		if o.CuDNN == NCHW {
			layout = cudnn.NCHW
		}
		l, err := cudnn.Deploy(gpu, cudnn.Precision(o.Precision), layout)
		if errors.Is(err, cudnn.ErrNone) {
			err = fmt.Errorf("%w: %w", ErrNoCuDNN, err)
		}
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		at.Library, closeAll = l, func() error { return errors.Join(l.Close(), d.Close()) }
	}
	b, err := cuda.New(d, at)
	if err != nil {
		return nil, errors.Join(err, closeAll())
	}
	pci := gpu.Info().PCI
	return &Device{b, pci, func() sensor.Sensor { return nvml.Open(pci) }, closeAll}, nil
}
