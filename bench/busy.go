package bench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mdp/engine/sensor"
)

// BusyError is a device that something else runs on.
type BusyError struct{ Reading sensor.Reading }

func (e *BusyError) Error() string {
	var why []string
	if e.Reading.Busy > mostBusy {
		why = append(why, fmt.Sprintf("others take %.0f %% of it", 100*e.Reading.Busy))
	}
	if e.Reading.Processes > 1 {
		why = append(why, fmt.Sprintf("%d processes have it open", e.Reading.Processes))
	}
	return "the device is busy: " + strings.Join(why, ", ")
}

// mostBusy is the share of a device that a desktop or a monitor may take.
const mostBusy = 0.05

// Idle is nil, or a BusyError, for a device on which this process does nothing for
// the moment that it takes to look.
func Idle(ctx context.Context, s sensor.Sensor) error { return idle(ctx, s, sleep) }

func idle(ctx context.Context, s sensor.Sensor, sleep func(context.Context, time.Duration) error) error {
	if _, err := s.Read(); err != nil {
		return err
	}
	if err := sleep(ctx, 300*time.Millisecond); err != nil {
		return err
	}
	r, err := s.Read()
	if err != nil {
		return err
	}
	if r.Busy > mostBusy || r.Processes > 1 {
		return &BusyError{r}
	}
	return nil
}
