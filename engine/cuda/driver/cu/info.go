//go:build cuda

package cu

// #include <cuda.h>
// extern int mdp_driver;
import "C"

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"gorgonia.org/cu"

	"mdp/engine/cuda/driver"
)

// Devices lists the machine's GPUs, supported or not. Where there is none the
// error is ErrNoDevice.
func Devices() ([]driver.Info, error) {
	n, err := cu.NumDevices()
	if err == nil && n == 0 {
		// What the driver said when the program started: scripts/cuda-toolchain.
		if started := int(C.mdp_driver); started > 0 && started != C.CUDA_ERROR_NO_DEVICE {
			err = check("it does not start", C.CUresult(started))
			return nil, fmt.Errorf("cuda: %w: %w", ErrNoDevice, err)
		}
		return nil, fmt.Errorf("cuda: %w", ErrNoDevice)
	}
	if err != nil {
		return nil, fmt.Errorf("cuda: %w: %w", ErrNoDevice, explain(err))
	}
	all := make([]driver.Info, n)
	for i := range all {
		if all[i], err = describe(i); err != nil {
			return nil, fmt.Errorf("cuda: device %d: %w", i, explain(err))
		}
	}
	return all, nil
}

func describe(ordinal int) (driver.Info, error) {
	i := driver.Info{Ordinal: ordinal, Driver: Driver()}
	d, err := cu.GetDevice(ordinal)
	if err != nil {
		return i, err
	}
	var errs [4]error
	i.Name, errs[0] = d.Name()
	i.Capability[0], i.Capability[1], errs[1] = d.ComputeCapability()
	i.MemoryBytes, errs[2] = d.TotalMem()
	attribute := func(a cu.DeviceAttribute) int {
		v, err := d.Attribute(a)
		errs[3] = errors.Join(errs[3], err)
		return v
	}
	i.SMs = attribute(cu.MultiprocessorCount)
	i.ClockMHz, i.MemoryClockMHz = attribute(cu.ClockRate)/1000, attribute(cu.MemoryClockRate)/1000
	i.MemoryBusBits, i.L2Bytes = attribute(cu.GlobalMemoryBusWidth), attribute(cu.L2CacheSize)
	i.PCI = fmt.Sprintf("%04x:%02x:%02x.0", attribute(cu.PciDomainID), attribute(cu.PciBusID), attribute(cu.PciDeviceID))
	return i, errors.Join(errs[:]...)
}

// Driver is such as "580.65.06, for CUDA 13.0".
func Driver() string {
	v := cu.Version()
	version := "of unknown version"
	if text, err := os.ReadFile("/proc/driver/nvidia/version"); err == nil {
		if number := regexp.MustCompile(`\d+(\.\d+)+`).Find(text); number != nil {
			version = string(number)
		}
	}
	return fmt.Sprintf("%s, for CUDA %d.%d", version, v/1000, v%1000/10)
}
