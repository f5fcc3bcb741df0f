package driver

import "fmt"

// Info is what a driver says of a GPU. The emulation has a name alone.
type Info struct {
	Ordinal        int    `json:"ordinal"`
	Name           string `json:"name"`
	Driver         string `json:"driver"` // its version, and the newest CUDA it is for
	Capability     [2]int `json:"compute_capability"`
	MemoryBytes    int64  `json:"memory_bytes"`
	SMs            int    `json:"sms"`
	ClockMHz       int    `json:"clock_mhz"`        // the most it runs at
	MemoryClockMHz int    `json:"memory_clock_mhz"` // likewise
	MemoryBusBits  int    `json:"memory_bus_bits"`
	L2Bytes        int    `json:"l2_bytes"`
	PCI            string `json:"pci,omitempty"` // its address, such as 0000:1b:00.0
}

// Supported is nil, or says why the kernels do not run on this GPU.
func (i Info) Supported() error {
	if i.Capability[0] < 8 {
		return fmt.Errorf("cuda: %s has compute capability %d.%d; the kernels need 8.0 or newer", i.Name, i.Capability[0], i.Capability[1])
	}
	return nil
}
