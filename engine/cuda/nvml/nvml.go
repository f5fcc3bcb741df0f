//go:build cuda

// Package nvml reads the state of an NVIDIA GPU from the driver's management library,
// which is found when the program runs. In builds with the tag cuda.
package nvml

import (
	"fmt"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"mdp/engine/sensor"
)

// Open finds the GPU at a PCI address such as 0000:1b:00.0. Where the library is
// missing, does not know the GPU or may not be asked, the sensor says so and nothing
// else.
func Open(pci string) sensor.Sensor {
	libraries := []nvml.Interface{nvml.New()}
	for _, folder := range []string{"/usr/local/nvidia/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib"} { // as for the driver: scripts/cuda-toolchain
		libraries = append(libraries, nvml.New(nvml.WithLibraryPath(folder+"/libnvidia-ml.so.1")))
	}
	return open(pci, libraries...)
}

// open takes the first library that loads.
func open(pci string, libraries ...nvml.Interface) sensor.Sensor {
	library, r := libraries[0], libraries[0].Init()
	for _, next := range libraries[1:] {
		if r == nvml.ERROR_LIBRARY_NOT_FOUND {
			library, r = next, next.Init()
		}
	}
	if r != nvml.SUCCESS {
		return sensor.None("no NVML: " + text(r))
	}
	device, r := library.DeviceGetHandleByPciBusId(pci)
	if r != nvml.SUCCESS {
		library.Shutdown()
		return sensor.None(fmt.Sprintf("NVML does not show the GPU at %s: %s", pci, text(r)))
	}
	version, r := library.SystemGetDriverVersion()
	if r != nvml.SUCCESS {
		version = "of unknown version"
	}
	return &gpu{library, device, "NVML " + version}
}

type gpu struct {
	library nvml.Interface
	device  nvml.Device
	source  string
}

func (g *gpu) Settings() sensor.Settings {
	s := sensor.Settings{Source: g.source}
	if v, r := g.device.GetPersistenceMode(); r == nvml.SUCCESS {
		s.Persistence = state(v)
	}
	if v, _, r := g.device.GetEccMode(); r == nvml.SUCCESS {
		s.ECC = state(v)
	}
	if v, r := g.device.GetPowerManagementLimit(); r == nvml.SUCCESS {
		s.PowerLimitW = int(v / 1000)
	}
	if v, r := g.device.GetMaxClockInfo(nvml.CLOCK_SM); r == nvml.SUCCESS {
		s.MaxMHz = int(v)
	}
	if v, r := g.device.GetApplicationsClock(nvml.CLOCK_SM); r == nvml.SUCCESS {
		s.ApplicationMHz = int(v)
	}
	return s
}

// Read leaves out what the library will not tell, and fails only where the GPU is gone.
func (g *gpu) Read() (sensor.Reading, error) {
	var s sensor.Reading
	clock, r := g.device.GetClockInfo(nvml.CLOCK_SM)
	if r == nvml.ERROR_GPU_IS_LOST {
		return s, fmt.Errorf("NVML: %s", text(r))
	}
	s.ClockMHz = int(clock)
	if v, r := g.device.GetClockInfo(nvml.CLOCK_MEM); r == nvml.SUCCESS {
		s.MemoryClockMHz = int(v)
	}
	if v, r := g.device.GetPowerUsage(); r == nvml.SUCCESS {
		s.PowerW = float64(v) / 1000
	}
	if v, r := g.device.GetTemperature(nvml.TEMPERATURE_GPU); r == nvml.SUCCESS {
		s.TemperatureC = int(v)
	}
	if v, r := g.device.GetCurrentClocksThrottleReasons(); r == nvml.SUCCESS {
		s.Slowed = slowed(v)
	}
	if v, r := g.device.GetUtilizationRates(); r == nvml.SUCCESS {
		s.Busy = float64(v.Gpu) / 100
	}
	if v, r := g.device.GetComputeRunningProcesses(); r == nvml.SUCCESS {
		s.Processes = len(v)
	}
	if v, r := g.device.GetMemoryInfo(); r == nvml.SUCCESS {
		s.UsedBytes = int64(v.Used)
	}
	return s, nil
}

func (g *gpu) Close() error {
	if r := g.library.Shutdown(); r != nvml.SUCCESS {
		return fmt.Errorf("NVML: %s", text(r))
	}
	return nil
}

// slowed names what holds the clock back; an idle GPU's is as nobody asked for more.
func slowed(reasons uint64) (names []string) {
	for _, r := range []struct {
		bit  uint64
		name string
	}{
		{nvml.ClocksEventReasonApplicationsClocksSetting, "clocks set by a user"},
		{nvml.ClocksEventReasonSwPowerCap, "power cap"},
		{nvml.ClocksThrottleReasonHwSlowdown, "hardware slowdown"},
		{nvml.ClocksEventReasonSyncBoost, "sync boost"},
		{nvml.ClocksEventReasonSwThermalSlowdown, "temperature"},
		{nvml.ClocksThrottleReasonHwThermalSlowdown, "temperature, by hardware"},
		{nvml.ClocksThrottleReasonHwPowerBrakeSlowdown, "power brake"},
		{nvml.ClocksEventReasonDisplayClockSetting, "display"},
	} {
		if reasons&r.bit != 0 {
			names = append(names, r.name)
		}
	}
	return names
}

func state(s nvml.EnableState) string {
	if s == nvml.FEATURE_ENABLED {
		return "on"
	}
	return "off"
}

// text of a return value, also where the library that knows it did not load.
func text(r nvml.Return) string {
	switch r {
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return "libnvidia-ml.so.1 does not load"
	case nvml.ERROR_NO_PERMISSION:
		return "no permission"
	}
	return r.Error()
}
