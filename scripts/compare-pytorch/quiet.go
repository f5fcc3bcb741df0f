package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// mostOthers is the share of the processor that others may take while a row is measured: a barrier waits for
// its slowest thread, so a little of it costs much.
const mostOthers = 0.1

// ticks are the processor's since the machine started, in all, and of some processes alone.
type ticks struct{ all, busy, own float64 }

func readTicks(processes ...int) (ticks, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	var t ticks
	for i, f := range strings.Fields(line)[1:9] { // user nice system idle iowait irq softirq steal
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return ticks{}, fmt.Errorf("/proc/stat: %w", err)
		}
		t.all += v
		if i != 3 && i != 4 {
			t.busy += v
		}
	}
	for _, pid := range processes {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return ticks{}, err
		}
		_, after, _ := strings.Cut(string(b), ") ") // the name before it may hold anything
		f := strings.Fields(after)
		for _, s := range f[11:13] { // utime stime
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return ticks{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
			}
			t.own += v
		}
	}
	return t, nil
}

// others is the share of the processor that everything else took since then.
func (t ticks) others(since ticks) float64 {
	return ((t.busy - since.busy) - (t.own - since.own)) / max(t.all-since.all, 1)
}
