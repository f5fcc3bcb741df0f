//go:build cuda

package nvml

import (
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/sensor"
)

// library is one with a GPU at 0000:1b:00.0, or one that answers otherwise.
func library(initialised, found nvml.Return, gpu *mock.Device) *mock.Interface {
	return &mock.Interface{
		InitFunc:     func() nvml.Return { return initialised },
		ShutdownFunc: func() nvml.Return { return nvml.SUCCESS },
		DeviceGetHandleByPciBusIdFunc: func(pci string) (nvml.Device, nvml.Return) {
			if pci != "0000:1b:00.0" {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return gpu, found
		},
		SystemGetDriverVersionFunc: func() (string, nvml.Return) { return "580.65.06", nvml.SUCCESS },
	}
}

func device(r nvml.Return) *mock.Device {
	return &mock.Device{
		GetPersistenceModeFunc:      func() (nvml.EnableState, nvml.Return) { return nvml.FEATURE_ENABLED, r },
		GetEccModeFunc:              func() (nvml.EnableState, nvml.EnableState, nvml.Return) { return nvml.FEATURE_DISABLED, 1, r },
		GetPowerManagementLimitFunc: func() (uint32, nvml.Return) { return 700_000, r },
		GetMaxClockInfoFunc:         func(nvml.ClockType) (uint32, nvml.Return) { return 1980, r },
		GetApplicationsClockFunc:    func(nvml.ClockType) (uint32, nvml.Return) { return 1830, r },
		GetClockInfoFunc: func(t nvml.ClockType) (uint32, nvml.Return) {
			return map[nvml.ClockType]uint32{nvml.CLOCK_SM: 1755, nvml.CLOCK_MEM: 3201}[t], r
		},
		GetPowerUsageFunc:  func() (uint32, nvml.Return) { return 512_250, r },
		GetTemperatureFunc: func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 61, r },
		GetCurrentClocksThrottleReasonsFunc: func() (uint64, nvml.Return) {
			return nvml.ClocksEventReasonGpuIdle | nvml.ClocksEventReasonSwPowerCap | nvml.ClocksEventReasonSwThermalSlowdown, r
		},
		GetUtilizationRatesFunc:        func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 37}, r },
		GetComputeRunningProcessesFunc: func() ([]nvml.ProcessInfo, nvml.Return) { return make([]nvml.ProcessInfo, 2), r },
		GetMemoryInfoFunc:              func() (nvml.Memory, nvml.Return) { return nvml.Memory{Used: 1 << 30}, r },
	}
}

func TestGPUThatTells(t *testing.T) {
	s := open("0000:1b:00.0", library(nvml.SUCCESS, nvml.SUCCESS, device(nvml.SUCCESS)))
	assert.Equal(t, sensor.Settings{Source: "NVML 580.65.06", Persistence: "on", ECC: "off", PowerLimitW: 700, MaxMHz: 1980, ApplicationMHz: 1830}, s.Settings())
	r, err := s.Read()
	require.NoError(t, err)
	assert.Equal(t, sensor.Reading{ClockMHz: 1755, MemoryClockMHz: 3201, PowerW: 512.25, TemperatureC: 61,
		Slowed: []string{"power cap", "temperature"}, Busy: 0.37, Processes: 2, UsedBytes: 1 << 30}, r)
	require.NoError(t, s.Close())
}

// What may not be asked is left out; a library that is missing is told of.
func TestGPUThatDoesNotTell(t *testing.T) {
	s := open("0000:1b:00.0", library(nvml.SUCCESS, nvml.SUCCESS, device(nvml.ERROR_NO_PERMISSION)))
	assert.Equal(t, sensor.Settings{Source: "NVML 580.65.06"}, s.Settings())
	_, err := s.Read()
	require.NoError(t, err)

	assert.Equal(t, sensor.None("no NVML: libnvidia-ml.so.1 does not load"), open("", library(nvml.ERROR_LIBRARY_NOT_FOUND, 0, nil)))
	assert.Equal(t, sensor.None("no NVML: no permission"), open("", library(nvml.ERROR_NO_PERMISSION, 0, nil)))
	assert.Contains(t, open("0000:2b:00.0", library(nvml.SUCCESS, 0, nil)).Settings().Source, "NVML does not show the GPU at 0000:2b:00.0: ")

	missing := library(nvml.ERROR_LIBRARY_NOT_FOUND, 0, nil)
	assert.Equal(t, "NVML 580.65.06", open("0000:1b:00.0", missing, library(nvml.SUCCESS, nvml.SUCCESS, device(nvml.SUCCESS)), missing).Settings().Source)
	assert.Equal(t, sensor.None("no NVML: no permission"), open("0000:1b:00.0", missing, library(nvml.ERROR_NO_PERMISSION, 0, nil), library(nvml.SUCCESS, nvml.SUCCESS, nil)))

	s = open("0000:1b:00.0", library(nvml.SUCCESS, nvml.SUCCESS, device(nvml.ERROR_GPU_IS_LOST)))
	_, err = s.Read()
	require.ErrorContains(t, err, "NVML: ")
}

// Of this machine: the library is there, or the sensor says that it is not.
func TestGPUOfThisMachine(t *testing.T) {
	s := Open("0000:00:00.0")
	t.Log(s.Settings().Source)
	assert.NotEmpty(t, s.Settings().Source)
	require.NoError(t, s.Close())
}
