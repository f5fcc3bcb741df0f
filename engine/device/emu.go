//go:build emu

package device

import (
	"mdp/engine/cuda"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/emu"
	"mdp/engine/sensor"
	"mdp/kernels"
)

const emulated = true

func openEmulation(o Options) (*Device, error) {
	var d driver.Device = emu.Open(kernels.Shuffled)
	if o.Keep {
		d = driver.Keep(d)
	}
	b, err := cuda.New(d, cuda.Options{Precision: cuda.Precision(o.Precision), Storage: o.storage(), Atomics: o.Atomics})
	if err != nil {
		return nil, err
	}
	return &Device{b, "emulation", func() sensor.Sensor { return sensor.None("an emulation has no sensors") }, d.Close}, nil
}
