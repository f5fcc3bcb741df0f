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
	tickNS  int64   // of the device's timer, 0 where it is too fine to matter
	mostMHz float64 // that was seen: what the device can do under its settings of today
	rowMHz  float64 // of the row before, 0 before the first
}

const probeCycles = 100_000

// newClock finds what the instrument itself adds, and how fine its timer is.
func newClock(ctx context.Context, b engine.Backend) (*clock, error) {
	exec, err := b.Prepare(engine.Alone(b, engine.Spin{}, engine.Spin{Cycles: probeCycles}))
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
	all := slices.Concat([]int64{0}, empty, full)
	if t := tick(slices.Sorted(slices.Values(all))); onTicks(all, t) {
		k.tickNS = t
	}
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

// lap is one run of a round.
type lap struct {
	latencyNS []int64
	mhz       float64
}

// watch is time under a rule that watches the clock: sampling begins once it is
// steady, with the laps that showed it, and rounds in which it was low are thrown away.
// Rounds go on until the rule is content with every call; a call with which it was
// before has no more samples of them.
func (s *stand) watch(ctx context.Context, exec engine.Executor, round *round) ([]reading, error) {
	if s.clock == nil {
		var err error
		if s.clock, err = newClock(ctx, s.backend); err != nil {
			return nil, err
		}
	}
	turn := func() (l lap, err error) {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		l.latencyNS = make([]int64, round.calls)
		if err := exec.Time(l.latencyNS); err != nil {
			return l, err
		}
		l.mhz = s.clock.mhz(l.latencyNS[round.probe])
		return l, nil
	}

	// warmUp is until the clock is steady, with the laps that showed it, or for as long as
	// the rule allows.
	warmUp := func() (steady []lap, err error) {
		for start := s.now(); s.now().Sub(start) < time.Duration(s.rule.WarmUpNS) || len(steady) == 0; {
			l, err := turn()
			if err != nil {
				return nil, err
			}
			steady = append(steady[max(0, len(steady)-steadyLaps+1):], l)
			if s.clock.steady(steady, s.rule.Steady) {
				return steady, nil
			}
		}
		return nil, nil
	}
	steady, err := warmUp()
	if err != nil {
		return nil, err
	}

	runs, clocks := make([]sampling, len(round.timed)), []int64(nil)
	for i := range runs {
		runs[i].tickNS = s.clock.tickNS
	}
	pause, paused, low := firstPause, time.Duration(0), 0
	for start, left := s.now(), len(runs); left > 0; {
		var l lap
		if len(steady) > 0 {
			l, steady = steady[0], steady[1:]
		} else if l, err = turn(); err != nil {
			return nil, err
		}
		slow := l.mhz < s.rule.MinClock*s.clock.mostMHz
		if slow {
			if low++; low > 1 {
				if err := s.sleep(ctx, pause); err != nil {
					return nil, err
				}
				pause, paused = min(2*pause, mostPause), paused+pause
				if steady, err = warmUp(); err != nil { // a device that was left alone has slowed down by itself
					return nil, err
				}
			}
		} else {
			pause, low = firstPause, 0
			clocks = append(clocks, int64(l.mhz))
		}
		late := s.now().Sub(start)-paused >= time.Duration(len(runs))*time.Duration(s.rule.TimeoutNS) || paused >= mostPaused
		left = 0
		for i := range runs {
			if !runs[i].take(s.rule, l, round.timed[i], round.reference, slow) && late {
				runs[i].stop = Timeout
			}
			if runs[i].stop == "" {
				left++
			}
		}
	}
	if len(clocks) == 0 {
		return nil, &ThrottledError{s.rule.MinClock * s.clock.mostMHz, s.rule.MinClock}
	}
	s.clock.rowMHz = float64(Summarise(clocks).MedianNS)
	m := make([]reading, len(runs))
	for i, r := range runs {
		m[i] = reading{Result: summarise(r.samplesNS, r.tickNS), clockMHz: int(s.clock.rowMHz), discarded: r.discarded}
		m[i].Stop = r.stop
		m[i].referenceNS = paired(m[i].Result, r.beside)
	}
	return m, nil
}

// sampling is the run of one of a round's calls.
type sampling struct {
	run
	beside    []int64 // the reference in the round of every sample
	discarded int
}

// take a lap's samples, unless its clock was low, until the rule is content.
func (w *sampling) take(rule Rule, l lap, timed []int, reference int, low bool) (content bool) {
	for _, i := range timed {
		switch {
		case w.content(rule):
		case low:
			w.discarded++
		default:
			w.add(l.latencyNS[i])
			w.beside = append(w.beside, l.latencyNS[reference])
		}
	}
	return w.content(rule)
}

// steadyLaps in a row tell that the clock is steady.
const steadyLaps = 3

// steady says that the last clocks lie within a share of one another and of the
// row before. While it still rises, or falls, those in a row are alike, too; so the
// first row, and one that finds another clock, warm up for as long as they may.
func (k *clock) steady(laps []lap, within float64) bool {
	if len(laps) < steadyLaps || k.rowMHz == 0 {
		return false
	}
	least, most := k.rowMHz, k.rowMHz
	for _, l := range laps {
		least, most = min(least, l.mhz), max(most, l.mhz)
	}
	return least >= (1-within)*most
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
