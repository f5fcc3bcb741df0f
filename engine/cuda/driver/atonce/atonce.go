// Package atonce is what devices on the host have alike: what they are asked for is done
// when the call returns.
package atonce

import (
	"time"

	"mdp/engine/cuda/driver"
)

// Sequence launches one after the other.
func Sequence(launch func(driver.Launch) error, all []driver.Launch) driver.Sequence {
	return sequence{launch, all}
}

type sequence struct {
	launch   func(driver.Launch) error
	launches []driver.Launch
}

func (s sequence) Run() error {
	for i, l := range s.launches {
		if err := s.launch(l); err != nil {
			return &driver.LaunchError{Index: i, Err: err}
		}
	}
	return nil
}
func (s sequence) Close() error { return nil }

// Uploader uploads as the device itself does.
func Uploader(d driver.Device) driver.Uploader { return uploader{d} }

type uploader struct{ driver.Device }

func (uploader) Close() error { return nil }

// Timer reads the host's clock.
func Timer(marks int) driver.Timer { return make(timer, marks) }

type timer []time.Time

func (t timer) Mark(i int) error { t[i] = time.Now(); return nil }
func (t timer) NS(latencyNS []int64) error {
	for i := range latencyNS {
		latencyNS[i] = t[i+1].Sub(t[i]).Nanoseconds()
	}
	return nil
}
func (t timer) Close() error { return nil }
