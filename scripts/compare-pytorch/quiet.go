package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
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

// share adds up what others than some processes took while samples were taken, and all there was.
type share struct {
	processes   []int
	others, all float64
}

// meanwhile takes a sample when the side that ran before it has come to rest.
func (s *share) meanwhile(sample func(int) (int64, error), times int) (int64, error) {
	time.Sleep(pause)
	before, err := readTicks(s.processes...)
	if err != nil {
		return 0, err
	}
	ns, err := sample(times)
	if err != nil {
		return 0, err
	}
	after, err := readTicks(s.processes...)
	s.others += (after.busy - before.busy) - (after.own - before.own)
	s.all += after.all - before.all
	return ns, err
}
