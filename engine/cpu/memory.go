package cpu

import (
	"bytes"
	"fmt"
	"math"
	"os"
)

// availableBytes is what the kernel says a process can still get without
// swapping, and no limit where no kernel says so: Go ends the program when an
// allocation fails, so it has to be asked before.
func availableBytes() int64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64
	}
	for line := range bytes.Lines(info) {
		var kiB int64
		if n, _ := fmt.Sscanf(string(line), "MemAvailable: %d kB", &kiB); n == 1 {
			return kiB << 10
		}
	}
	return math.MaxInt64
}
