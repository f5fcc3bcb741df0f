package cuda

import (
	"errors"
	"fmt"
	"time"

	"mdp/engine/cuda/driver"
)

// Time measures on the device, a mark before and after every call. The device is
// held until all of it is queued: were it to wait for a launch, a short call would
// seem to take as long as the host needs for the next.
func (e *executor) Time(latencyNS []int64) (err error) {
	if len(latencyNS) > len(e.launches) {
		return fmt.Errorf("cuda: %d latencies for a plan of %d calls", len(latencyNS), len(e.launches))
	}
	calls := len(latencyNS)
	t, err := e.device.NewTimer(calls + 1)
	if err != nil {
		return e.explain(err)
	}
	e.begun = [2]int{0, calls}
	defer func() { err = errors.Join(err, t.Close()) }()
	for late := true; late; {
		queued := time.Now()
		if err := e.hold.launch(e.device, calls); err != nil {
			return fmt.Errorf("cuda: %w", err)
		}
		if err := t.Mark(0); err != nil {
			return e.explain(err)
		}
		for i := range calls {
			if err := e.call(i); err != nil {
				return err
			}
			if err := t.Mark(i + 1); err != nil {
				return e.explain(err)
			}
		}
		late = e.hold.late(time.Since(queued))
		for i := range latencyNS {
			if latencyNS[i], err = t.NS(i, i+1); err != nil {
				return e.explain(err)
			}
		}
	}
	return nil
}

// hold keeps the device busy while the host queues what comes behind, for twice as
// long as the host needed the last time.
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

// late says that the device may have waited for the host, and is to be timed again.
func (h *hold) late(queued time.Duration) bool {
	switch {
	case h.forNS < 0:
		return false
	case queued.Nanoseconds() <= h.forNS:
		h.forNS = min(h.forNS, 2*queued.Nanoseconds())
		return false
	case queued > mostHeld:
		h.forNS = -1 // this was not held either, and no other time will be
		return false
	}
	h.forNS = 2 * queued.Nanoseconds()
	return true
}
