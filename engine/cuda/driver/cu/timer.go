//go:build cuda

package cu

import (
	"errors"
	"math"

	"gorgonia.org/cu"

	"mdp/engine/cuda/driver"
)

// timer is events on the device's stream.
type timer struct {
	device *Device
	events []cu.Event
}

func (d *Device) NewTimer(marks int) (driver.Timer, error) {
	t := &timer{device: d}
	err := d.do(func() error {
		for range marks {
			e, err := cu.MakeEvent(cu.DefaultEvent)
			if err != nil {
				return err
			}
			t.events = append(t.events, e)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *timer) Mark(i int) error {
	return t.device.do(func() error { return t.events[i].Record(t.device.stream) })
}

func (t *timer) NS(latencyNS []int64) error {
	return t.device.do(func() error {
		if err := t.events[len(latencyNS)].Synchronize(); err != nil {
			return err
		}
		for i := range latencyNS {
			ms, err := t.events[i].Elapsed(t.events[i+1])
			if err != nil {
				return err
			}
			latencyNS[i] = int64(math.Round(ms * 1e6))
		}
		return nil
	})
}

func (t *timer) Close() error {
	return t.device.release(func() error {
		var errs []error
		for i := range t.events {
			errs = append(errs, cu.DestroyEvent(&t.events[i]))
		}
		return together(errs...)
	})
}
