package bench

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/sensor"
)

// drifting is a fake backend with a clock: mhz tells it at each run of a plan, whose
// calls take as many cycles as the fake takes nanoseconds. Time passes with it.
type drifting struct {
	fake
	mhz  func(at time.Time) float64
	time *fakeClock
}

func (d drifting) Prepare(p *engine.Plan) (engine.Executor, error) {
	return &driftingExecutor{fakeExecutor{plan: p, slow: 1}, d}, nil
}

type driftingExecutor struct {
	fakeExecutor
	on drifting
}

func (e *driftingExecutor) Time(latencyNS []int64) error {
	mhz := e.on.mhz(e.on.time.at)
	for i, c := range e.plan.Calls[:len(latencyNS)] {
		const overheadNS = 700 // of the instrument
		cycles := fakeNS(c)
		if s, ok := c.(engine.Spin); ok {
			cycles = s.Cycles
		}
		latencyNS[i] = overheadNS + int64(float64(cycles)*1e3/mhz)
		e.on.time.pass(latencyNS[i])
	}
	return nil
}

// watched is a stand on a drifting device, and how long it paused in all.
func watched(mhz func(time.Time) float64) (*stand, *time.Duration) {
	clock, paused := &fakeClock{at: time.Unix(0, 0)}, new(time.Duration)
	rule := quick()
	rule.MinTotalNS, rule.WarmUpNS, rule.MinClock, rule.Steady, rule.MaxSamples, rule.MaxRSD = 1e6, 1e9, 0.75, 0.02, 4096, 0.05
	s := newStand(drifting{mhz: mhz, time: clock}, rule, 2)
	s.now = clock.now
	s.sleep = func(_ context.Context, d time.Duration) error {
		clock.pass(d.Nanoseconds())
		*paused += d
		return nil
	}
	return s, paused
}

// one times a call beside itself.
func (s *stand) one(c engine.Call) (reading, error) {
	m, err := s.time(context.Background(), []engine.Call{c}, c)
	if err != nil {
		return reading{}, err
	}
	return m[0], nil
}

func since(at time.Time) time.Duration { return at.Sub(time.Unix(0, 0)) }

func TestClockIsRead(t *testing.T) {
	s, paused := watched(func(time.Time) float64 { return 1500 })
	m, err := s.one(conv(8, 8))
	require.NoError(t, err)
	assert.Equal(t, 1500, m.clockMHz, "the instrument's own time is not the clock's")
	assert.Equal(t, Quiet, m.Stop)
	assert.Zero(t, m.discarded)
	assert.Zero(t, *paused)
}

// What was sampled while the clock was low is thrown away, and the row is that of a
// device that kept it.
func TestClockThatDrops(t *testing.T) {
	steady, _ := watched(func(time.Time) float64 { return 2000 })
	want, err := steady.one(conv(8, 8))
	require.NoError(t, err)
	var from time.Duration
	s, paused := watched(func(at time.Time) float64 {
		if since(at) > from && since(at) < from+200*time.Millisecond {
			return 1490 // just below three quarters
		}
		return 2000
	})
	s.clock, err = newClock(context.Background(), s.backend)
	require.NoError(t, err)
	s.clock.rowMHz, s.rule.WarmUpNS = 2000, 20e6
	from = since(s.now()) + 500*time.Microsecond // after the warm-up
	got, err := s.one(conv(8, 8))
	require.NoError(t, err)
	assert.Positive(t, got.discarded)
	assert.GreaterOrEqual(t, *paused, 100*time.Millisecond)
	assert.Less(t, *paused, 600*time.Millisecond, "pauses double, and end")
	assert.Equal(t, want.MedianNS, got.MedianNS)
	assert.Equal(t, want.LowNS, got.LowNS)
	assert.Equal(t, want.HighNS, got.HighNS)
	assert.Equal(t, 2000, got.clockMHz)
}

// Calls that are timed together have the rows that each has by itself, and a low clock
// costs all of them that were not done.
func TestTimedTogether(t *testing.T) {
	calls := []engine.Call{conv(8, 8), conv(8, 7), conv(1, 1)}
	s, _ := watched(func(time.Time) float64 { return 2000 })
	s.rule.MinTotalNS = 100e3 // more samples of small ones
	together, err := s.time(context.Background(), calls, conv(8, 8))
	require.NoError(t, err)
	require.Len(t, together, len(calls))
	for i, c := range calls {
		alone, err := s.time(context.Background(), []engine.Call{c}, conv(8, 8))
		require.NoError(t, err)
		require.Equal(t, alone[0], together[i])
	}
	require.Less(t, len(together[0].SamplesNS), len(together[2].SamplesNS), "each until the rule is content")

	laps := 0
	s.backend = drifting{time: s.backend.(drifting).time, mhz: func(time.Time) float64 {
		if laps++; laps == 1+steadyLaps+1 || laps == 1+steadyLaps+17 { // one to touch all, then those that show the clock
			return 1000
		}
		return 2000
	}}
	again, err := s.time(context.Background(), calls, conv(8, 8))
	require.NoError(t, err)
	for i := range again {
		require.Equal(t, together[i].SamplesNS, again[i].SamplesNS)
	}
	require.Equal(t, copies, again[0].discarded, "it had enough when the clock fell again")
	require.Equal(t, 2*copies, again[2].discarded)
}

func TestClockThatStaysLow(t *testing.T) {
	low := false
	s, _ := watched(func(time.Time) float64 {
		if low {
			return 700
		}
		return 2000
	})
	var err error
	s.clock, err = newClock(context.Background(), s.backend)
	require.NoError(t, err)
	low = true
	_, err = s.one(conv(8, 8))
	require.EqualError(t, err, "the clock stayed below 1500 MHz, 75 % of what it was: let the device cool down or end what else it does, then go on")

	s.sleep = func(context.Context, time.Duration) error { return context.Canceled }
	_, err = s.one(conv(8, 8))
	require.ErrorIs(t, err, context.Canceled, "a pause can be stopped")
}

// A device whose clock falls when it is left alone is not left alone for ever: after a
// pause it has the time of a warm-up to rise again.
func TestPauseLetsTheClockFall(t *testing.T) {
	var s *stand
	begun, idle := time.Time{}, time.Time{} // since when it runs, and when it was last seen to
	s, paused := watched(func(at time.Time) float64 {
		if at.Sub(idle) > 40*time.Millisecond {
			begun = at
		}
		idle = at
		if since(at) > 200*time.Millisecond && since(at) < 260*time.Millisecond {
			return 1200 // what makes it pause
		}
		return min(2000, 1200+800*at.Sub(begun).Seconds()/0.005) // in 5 ms
	})
	var err error
	s.clock, err = newClock(context.Background(), s.backend)
	require.NoError(t, err)
	s.rule.WarmUpNS, s.rule.MinTotalNS, s.rule.MaxSamples = 20e6, 100e6, 1<<20
	m, err := s.one(conv(8, 8))
	require.NoError(t, err)
	assert.Positive(t, m.discarded)
	assert.Positive(t, *paused)
	assert.Less(t, *paused, 300*time.Millisecond, "pauses follow one another")
	assert.NotEqual(t, Timeout, m.Stop)
}

// Sampling begins when the clock is steady, not after so many rounds.
func TestWarmUpWaitsForTheClock(t *testing.T) {
	ramp := func(at time.Time) float64 { return min(2000, 1600+400*since(at).Seconds()/0.02) } // 20 ms
	s, _ := watched(ramp)
	s.clock = &clock{emptyNS: 700, rowMHz: 2000}
	m, err := s.one(conv(8, 8))
	require.NoError(t, err)
	fastest, slowest := m.SamplesNS[len(m.SamplesNS)-1], m.SamplesNS[0]
	assert.InEpsilon(t, fastest, slowest, 0.03, "the first sample is as the last")
	assert.Less(t, since(s.now()), 100*time.Millisecond, "and the warm-up no longer than it has to be")

	s, _ = watched(func(at time.Time) float64 { return 1600 + 400*float64(since(at).Milliseconds()%2) }) // never steady
	m, err = s.one(conv(8, 8))
	require.NoError(t, err)
	assert.NotEmpty(t, m.SamplesNS, "it ends after WarmUpNS all the same")
}

// On a device that does something else as well every row says that it did not get quiet.
func TestBusyDevice(t *testing.T) {
	r := seeded(t)
	s, _ := watched(func(time.Time) float64 { return 2000 * (1 - 0.2*r.Float64()) })
	s.rule.MaxRSD, s.rule.PlateauWindow, s.rule.PlateauEvery, s.rule.PlateauSpread = 0.01, 64, 16, 0.05
	m, err := s.one(conv(8, 8))
	require.NoError(t, err)
	assert.Equal(t, Plateau, m.Stop)
	assert.Greater(t, m.RSD, 0.03)
}

func TestLostDevice(t *testing.T) {
	s, _ := watched(func(time.Time) float64 { return 2000 })
	gone := errors.New("device lost")
	s.backend = failing{s.backend.(drifting), gone, new(int)}
	_, err := s.one(conv(8, 8))
	require.ErrorIs(t, err, gone)
}

// failing is a device that is lost after a few runs.
type failing struct {
	drifting
	err  error
	runs *int
}

func (f failing) Prepare(p *engine.Plan) (engine.Executor, error) {
	e, err := f.drifting.Prepare(p)
	return failingExecutor{e, f}, err
}

type failingExecutor struct {
	engine.Executor
	failing
}

func (e failingExecutor) Time(latencyNS []int64) error {
	if *e.runs++; *e.runs > 250 {
		return e.err
	}
	return e.Executor.Time(latencyNS)
}

// Cold, everything was forgotten before each call; hot, the same call ran before it.
func TestCaches(t *testing.T) {
	rule := quick()
	rule.Caches, rule.MinClock = Cold, 0.5
	s := newStand(fake{}, rule, 2)
	r, err := s.round([]engine.Call{conv(3, 5)}, conv(8, 8))
	require.NoError(t, err)
	assert.Len(t, r.timed[0], copies)
	for _, i := range append([]int{r.reference}, r.timed[0]...) {
		flush, ok := r.plan.Calls[i-1].(engine.Activate)
		require.True(t, ok)
		assert.GreaterOrEqual(t, 4*flush.Len, 2*s.cache())
		assert.NotEqual(t, engine.Identity, flush.Act, "it writes")
	}
	assert.Equal(t, engine.Spin{Cycles: probeCycles}, r.plan.Calls[r.probe])
	assert.Equal(t, r.probe+1, r.calls)

	s.rule.Caches = Hot
	r, err = s.round([]engine.Call{conv(3, 5)}, conv(8, 8))
	require.NoError(t, err)
	for _, i := range append([]int{r.reference}, r.timed[0]...) {
		assert.Equal(t, r.plan.Calls[i], r.plan.Calls[i-1])
	}
}

// counting adds up what is written from the host.
type counting struct {
	engine.Executor
	elements int
}

func (c *counting) Write(dst engine.Buffer, src []float32) error {
	c.elements += len(src)
	return c.Executor.Write(dst, src)
}

// Large operands are filled on the device with what the host would have sent.
func TestMemoryGrows(t *testing.T) {
	b, err := cpu.New(cpu.Options{Threads: 1})
	require.NoError(t, err)
	s := newStand(b, quick(), 2)
	s.noise = s.noise[:48] // whole cache lines, as in earnest
	r, err := s.round([]engine.Call{conv(3, 5)}, conv(8, 8))
	require.NoError(t, err)
	exec, err := b.Prepare(&r.plan)
	require.NoError(t, err)
	defer exec.Close()
	sent := &counting{Executor: exec}
	require.NoError(t, s.fill(sent, &r.plan, r.calls, r.grown))
	require.NotEmpty(t, r.grown)
	var filters int
	for _, b := range r.plan.Constant {
		filters += r.plan.Span(b).Len
	}
	require.LessOrEqual(t, sent.elements, filters+len(s.noise)*len(found(&r.plan, r.calls)), "the host sends what the device could grow")
	require.NoError(t, exec.Run(r.calls, len(r.plan.Calls)))
	require.NoError(t, exec.Run(0, r.calls))
	for _, c := range r.plan.Calls[:r.calls] {
		for _, o := range c.Operands() {
			if !o.Read {
				continue
			}
			got := make([]float32, o.Len)
			require.NoError(t, exec.Read(got, o.Buffer))
			for i, v := range got {
				require.Equal(t, s.noise[i%len(s.noise)], v, "%s[%d] of %v", o.Name, i, c)
			}
		}
	}
}

// A device that is lost takes no row with it; the table goes on on one that works.
func TestLostMidTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latency.jsonl")
	table := open(t, path)
	runs, gone := 0, errors.New("device lost")
	good := drifting{mhz: func(time.Time) float64 { return 2000 }, time: &fakeClock{at: time.Unix(0, 0)}}
	err := table.Measure(context.Background(), failing{good, gone, &runs}, grid(12), nil)
	require.ErrorIs(t, err, gone)
	require.ErrorContains(t, err, "measure conv_forward+relu+bias/")
	kept := table.Len()
	require.Positive(t, kept)
	require.NoError(t, table.Close())
	again := open(t, path)
	require.Equal(t, kept, again.Len())
	require.NoError(t, again.Measure(context.Background(), good, grid(12), nil))
	require.Equal(t, 144, again.Len())
}

// Each row has the device's state; a sensor that fails ends the table, whose rows stay.
func TestTableWithSensor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latency.jsonl")
	table := open(t, path)
	gone := errors.New("NVML: GPU is lost")
	table.Sensor = &told{[]sensor.Reading{{ClockMHz: 1980, Slowed: []string{"power cap"}}, {TemperatureC: 70}}, gone}
	require.ErrorIs(t, table.Measure(context.Background(), fake{}, grid(3), nil), gone)
	_, rows, err := ReadTable(path)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	assert.Equal(t, &sensor.Reading{ClockMHz: 1980, Slowed: []string{"power cap"}}, rows[0].State)
	assert.Equal(t, &sensor.Reading{TemperatureC: 70}, rows[1].State)
}

// A throttled call is left out, told of, and measured the next time; a device that
// stays throttled ends the table.
func TestThrottledCallsAreLeftOut(t *testing.T) {
	calls, clock := grid(3), &fakeClock{at: time.Unix(0, 0)}
	mhz, row := 2000.0, 0
	path := filepath.Join(t.TempDir(), "latency.jsonl")
	h := header()
	h.Rule.MinClock, h.Rule.WarmUpNS, h.Rule.TimeoutNS = 0.75, 1, 1 // no time for pauses
	table, err := OpenTable(path, h)
	require.NoError(t, err)
	defer table.Close()
	on := drifting{mhz: func(time.Time) float64 { return mhz }, time: clock}
	low := map[int]bool{2: true, 3: true, 6: true}
	step := func(done, _ int, _ time.Duration) {
		if row = done; low[done+1] {
			mhz = 700
		} else {
			mhz = 2000
		}
	}
	err = table.Measure(context.Background(), on, calls, step)
	require.ErrorContains(t, err, "3 configurations are left out: the clock stayed below 1500 MHz")
	require.ErrorContains(t, err, "the same command measures them")
	assert.Equal(t, 6, table.Len())
	assert.Equal(t, 9, row)

	low = map[int]bool{}
	require.NoError(t, table.Measure(context.Background(), on, calls, step))
	assert.Equal(t, 9, table.Len())
	for i := range 100 {
		low[i] = i > 1
	}
	err = table.Measure(context.Background(), on, grid(6), step)
	require.ErrorAs(t, err, new(*ThrottledError))
	require.NotContains(t, err.Error(), "left out")
	assert.Equal(t, 10, table.Len())
}
