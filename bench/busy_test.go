package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/sensor"
)

// told is a sensor that tells one thing after another.
type told struct {
	readings []sensor.Reading
	err      error
}

func (t *told) Settings() sensor.Settings { return sensor.Settings{Source: "test"} }
func (t *told) Close() error              { return nil }
func (t *told) Read() (sensor.Reading, error) {
	if len(t.readings) == 0 {
		return sensor.Reading{}, t.err
	}
	r := t.readings[0]
	t.readings = t.readings[1:]
	return r, nil
}

func TestIdle(t *testing.T) {
	gone := errors.New("gone")
	no := func(context.Context, time.Duration) error { return nil }
	look := func(readings ...sensor.Reading) error {
		return idle(context.Background(), &told{readings, gone}, no)
	}
	assert.NoError(t, look(sensor.Reading{Busy: 1}, sensor.Reading{Busy: 0.05, Processes: 1}), "what was before does not count")
	assert.EqualError(t, look(sensor.Reading{}, sensor.Reading{Busy: 0.37, Processes: 1}), "the device is busy: others take 37 % of it")
	assert.EqualError(t, look(sensor.Reading{}, sensor.Reading{Busy: 0.5, Processes: 3}), "the device is busy: others take 50 % of it, 3 processes have it open")
	assert.ErrorIs(t, look(sensor.Reading{}), gone)
	assert.ErrorIs(t, look(), gone)
	assert.NoError(t, idle(context.Background(), sensor.None("none"), no))
}

func TestExclude(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	release, err := Exclude("0000:1b:00.0")
	require.NoError(t, err)
	_, err = Exclude("0000:1b:00.0")
	require.ErrorContains(t, err, "another mdp bench is measuring on 0000:1b:00.0")
	other, err := Exclude("0000:2b:00.0")
	require.NoError(t, err, "another GPU")
	require.NoError(t, other())
	require.NoError(t, release())
	again, err := Exclude("0000:1b:00.0")
	require.NoError(t, err)
	require.NoError(t, again())
	for range 2 {
		_, err = Exclude("")
		require.NoError(t, err, "the processor is nobody's")
	}
}
