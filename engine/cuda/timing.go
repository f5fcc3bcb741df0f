package cuda

import (
	"fmt"
	"time"

	"mdp/engine/cuda/driver"
)

// Time measures on the device, a mark before and after every call. The device is
// held until the host is ahead of it for good: were it to wait for a launch, a short
// call would seem to take as long as the host needs for the next.
func (e *executor) Time(latencyNS []int64) error {
	calls := len(latencyNS)
	if calls > len(e.launches) {
		return fmt.Errorf("cuda: %d latencies for a plan of %d calls", calls, len(e.launches))
	}
	if err := e.timeUpTo(calls); err != nil {
		return e.explain(err)
	}
	e.begun = [2]int{0, calls}
	queuedNS := make([]int64, calls)
	for late := true; late; {
		begun := time.Now()
		if err := e.hold.launch(e.device, calls); err != nil {
			return fmt.Errorf("cuda: %w", err)
		}
		if err := e.timer.Mark(0); err != nil {
			return e.explain(err)
		}
		for i := range calls {
			if err := e.call(i); err != nil {
				return err
			}
			if err := e.timer.Mark(i + 1); err != nil {
				return e.explain(err)
			}
			queuedNS[i] = time.Since(begun).Nanoseconds()
		}
		if err := e.timer.NS(latencyNS); err != nil {
			return e.explain(err)
		}
		late = e.hold.late(queuedNS, latencyNS)
	}
	return nil
}

// timeUpTo readies the timer, which is kept: events are not made for nothing.
func (e *executor) timeUpTo(calls int) (err error) {
	if e.timer != nil && e.marks > calls {
		return nil
	}
	if e.timer != nil {
		err = e.timer.Close()
	}
	if err == nil {
		e.timer, err = e.device.NewTimer(calls + 1)
		e.marks = calls + 1
	}
	return err
}

// hold keeps the device busy while the host queues what comes behind: for twice as long
// as the host needed the last time to get ahead.
type hold struct {
	forNS int64 // 0 before the first, less where holding is given up
}

// mostHeld is for how long a host may queue; an emulation that computes as it
// launches takes longer, and is not held.
const mostHeld = 20 * time.Millisecond

func (h *hold) launch(d driver.Device, calls int) error {
	if h.forNS < 0 {
		return nil
	}
	if h.forNS == 0 {
		h.forNS = 50e3 + 10e3*int64(calls)
	}
	ghz := max(1, float64(d.Info().ClockMHz)/1e3)
	l := lowering{device: d}
	launchOf(&l, "spin", 32, grid{1, 1, 1}, spinParams{int64(ghz * float64(h.forNS))})
	if l.err != nil {
		return l.err
	}
	return d.Launch(l.launches[0])
}

// late says that the device may have waited for the host, and is to be timed again: when
// it was done with the calls before one, that one and the mark behind it were not all
// queued. It was held, and then computed those before; so it is told from both clocks.
func (h *hold) late(queuedNS, latencyNS []int64) bool {
	if h.forNS < 0 {
		return false
	}
	needNS, beforeNS := int64(0), int64(0)
	for i, ns := range queuedNS {
		needNS = max(needNS, ns-beforeNS)
		beforeNS += latencyNS[i]
	}
	switch {
	case needNS <= h.forNS:
		h.forNS = min(h.forNS, 2*needNS)
		return false
	case needNS > mostHeld.Nanoseconds():
		h.forNS = -1 // this was not held either, and no other time will be
		return false
	}
	h.forNS = 2 * needNS
	return true
}
