//go:build cuda

package device

import (
	"errors"

	"mdp/engine/cuda"
	"mdp/engine/cuda/driver/cu"
	"mdp/engine/cuda/nvml"
	"mdp/engine/sensor"
)

func openGPU(ordinal int, o Options) (*Device, error) {
	gpu, err := cu.Open(ordinal)
	if err != nil {
		return nil, err
	}
	b, err := cuda.New(gpu, cuda.Options{Precision: cuda.Precision(o.Precision), Atomics: o.Atomics})
	if err != nil {
		return nil, errors.Join(err, gpu.Close())
	}
	pci := gpu.Info().PCI
	return &Device{b, pci, func() sensor.Sensor { return nvml.Open(pci) }, gpu.Close}, nil
}
