// Package sensor is what devices say of their own state while they are measured:
// clocks, power, temperature, who else uses them. A GPU's is in engine/cuda/nvml.
package sensor

// Settings are what somebody chose that decides how fast a device runs. Latencies
// under different ones do not compare. Empty fields are unknown.
type Settings struct {
	Source         string `json:"source"`                // who tells: NVML 580.65, Linux; or why nobody does
	Governor       string `json:"governor,omitempty"`    // of a processor's clock
	Persistence    string `json:"persistence,omitempty"` // of a GPU, and below: on or off
	ECC            string `json:"ecc,omitempty"`         // on or off
	PowerLimitW    int    `json:"power_limit_w,omitempty"`
	MaxMHz         int    `json:"max_mhz,omitempty"`
	ApplicationMHz int    `json:"application_mhz,omitempty"` // that applications run at unless they are slowed down
}

// Reading is a device's state at a moment. Zero fields are unknown.
type Reading struct {
	ClockMHz       int      `json:"clock_mhz,omitempty"`
	MemoryClockMHz int      `json:"memory_clock_mhz,omitempty"`
	PowerW         float64  `json:"power_w,omitempty"`
	TemperatureC   int      `json:"temperature_c,omitempty"`
	Slowed         []string `json:"slowed,omitempty"` // why the clock is below what it could be
	Busy           float64  `json:"busy,omitempty"`   // share of a processor's time that others took since the reading before, or of a GPU's that anybody did just now
	Processes      int      `json:"processes,omitempty"`
	UsedBytes      int64    `json:"used_bytes,omitempty"`
}

// Sensor reads one device.
type Sensor interface {
	Settings() Settings
	Read() (Reading, error)
	Close() error
}

// None is the sensor of a device that says nothing; its Source says why.
type None string

// Settings have the reason.
func (n None) Settings() Settings { return Settings{Source: string(n)} }

// Read knows nothing.
func (None) Read() (Reading, error) { return Reading{}, nil }

// Close does nothing.
func (None) Close() error { return nil }
