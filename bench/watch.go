package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mdp/engine"
)

// clock tells a device's clock from how long a Spin takes. That is read where the
// calls run and in the same microseconds, which no library of the driver's does, and
// works on every device.
type clock struct {
	emptyNS int64   // what a Spin of no cycles takes
	mostMHz float64 // that was seen: what the device can do under its settings of today
	rowMHz  float64 // of the row before, 0 before the first
}

const probeCycles = 100_000

// newClock finds what the instrument itself adds.
func newClock(ctx context.Context, b engine.Backend) (*clock, error) {
	exec, err := b.Prepare(&engine.Plan{Spans: make([]engine.Span, 1), Calls: []engine.Call{engine.Spin{}, engine.Spin{Cycles: probeCycles}}, Workspace: make([]engine.Buffer, 2)})
	if err != nil {
		return nil, err
	}
	defer exec.Close()
	const rounds = 200
	var empty, full []int64
	for range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		latencyNS := make([]int64, 2)
		if err := exec.Time(latencyNS); err != nil {
			return nil, err
		}
		empty, full = append(empty, latencyNS[0]), append(full, latencyNS[1])
	}
	k := &clock{emptyNS: Summarise(empty).MedianNS}
	k.mhz(slices.Min(full))
	return k, nil
}

// mhz is the clock at which a probe took so long.
func (k *clock) mhz(latencyNS int64) float64 {
	mhz := 1e3 * probeCycles / float64(max(1, latencyNS-k.emptyNS))
	k.mostMHz = max(k.mostMHz, mhz)
	return mhz
}

// After two rounds in a row below the least clock the device is left alone, for twice
// as long each time. One alone may be the host's doing.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 1600 * time.Millisecond
	mostPaused = 10 * time.Second // in all for one call
)

// ThrottledError is a call of which no sample could be taken at a high enough clock.
type ThrottledError struct{ LeastMHz, Share float64 }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("the clock stayed below %.0f MHz, %.0f %% of what it was: let the device cool down or end what else it does, then go on", e.LeastMHz, 100*e.Share)
}

// watch is time under a rule that watches the clock: sampling begins once it is
// steady, and rounds in which it was low are thrown away.
func (s *stand) watch(ctx context.Context, exec engine.Executor, round *round) (m reading, err error) {
	if s.clock == nil {
		if s.clock, err = newClock(ctx, s.backend); err != nil {
			return m, err
		}
	}
	latencyNS := make([]int64, round.calls)
	lap := func() (float64, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		err := exec.Time(latencyNS)
		return s.clock.mhz(latencyNS[round.probe]), err
	}

	var recent []float64
	for start := s.now(); len(recent) == 0 || !s.clock.steady(recent, s.rule.Steady) && s.now().Sub(start) < time.Duration(s.rule.WarmUpNS); {
		mhz, err := lap()
		if err != nil {
			return m, err
		}
		recent = append(recent, mhz)
	}

	var samples run
	var beside, clocks []int64
	pause, paused, low := firstPause, time.Duration(0), 0
	for start := s.now(); samples.stop == ""; {
		mhz, err := lap()
		if err != nil {
			return m, err
		}
		if mhz < s.rule.MinClock*s.clock.mostMHz {
			m.discarded += len(round.timed)
			if low++; low > 1 {
				if err := s.sleep(ctx, pause); err != nil {
					return m, err
				}
				pause, paused = min(2*pause, mostPause), paused+pause
			}
		} else {
			pause, low = firstPause, 0
			clocks = append(clocks, int64(mhz))
			for _, i := range round.timed {
				if !samples.content(s.rule) {
					samples.add(latencyNS[i])
					beside = append(beside, latencyNS[round.reference])
				}
			}
		}
		if !samples.content(s.rule) && (s.now().Sub(start)-paused >= time.Duration(s.rule.TimeoutNS) || paused >= mostPaused) {
			samples.stop = Timeout
		}
	}
	if len(clocks) == 0 {
		return m, &ThrottledError{s.rule.MinClock * s.clock.mostMHz, s.rule.MinClock}
	}
	m.Result = Summarise(samples.samplesNS)
	m.Stop = samples.stop
	m.referenceNS, m.clockMHz = paired(m.Result, beside), int(Summarise(clocks).MedianNS)
	s.clock.rowMHz = float64(m.clockMHz)
	return m, nil
}

// steady says that the last four clocks lie within a share of one another and of the
// row before. While it still rises, or falls, four in a row are alike, too; so the
// first row, and one that finds another clock, warm up for as long as they may.
func (k *clock) steady(mhz []float64, within float64) bool {
	const last = 4
	if len(mhz) < last || k.rowMHz == 0 {
		return false
	}
	near := append(mhz[len(mhz)-last:len(mhz):len(mhz)], k.rowMHz)
	return slices.Min(near) >= (1-within)*slices.Max(near)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
