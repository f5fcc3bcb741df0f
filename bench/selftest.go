package bench

import (
	"context"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"mdp/engine"
)

// SelfTest is what an instrument says of calls whose cost is known.
type SelfTest struct {
	EmptyNS   Result  `json:"empty"`     // a call that does nothing
	ClockMHz  float64 `json:"clock_mhz"` // the slope of spins against their cycles
	StatedMHz int     `json:"stated_mhz,omitempty"`
	Probes    []Probe `json:"probes"`
}

// Probe is a call of known cost.
type Probe struct {
	Call      string  `json:"call"`
	Cycles    int64   `json:"cycles,omitempty"` // of a spin
	Bytes     int64   `json:"bytes,omitempty"`  // of a copy, read and written
	MedianNS  int64   `json:"median_ns"`
	Bias      float64 `json:"bias"`       // of a spin: how far it lies off a straight line through all of them
	Spread    float64 `json:"spread"`     // half the range of the repeats' medians, as a share
	GBPS      float64 `json:"gb_per_s"`   // of a copy
	MedianNSs []int64 `json:"medians_ns"` // of each repeat
}

// Repeats of a self-test, each of which is a row's worth of samples.
const (
	repeats       = 10
	lapsPerRepeat = 20
)

// Test measures calls of known cost, a few times over: an empty one, spins from ten
// thousand to a million cycles, and copies within and beyond the caches.
func Test(ctx context.Context, b engine.Backend, progress func(done, total int)) (t SelfTest, err error) {
	s := newStand(b, TableRule(b.Info(), AsInNetwork), 1)
	r := &round{plan: engine.Plan{Spans: make([]engine.Span, 1)}}
	spins := []int64{0, 10e3, 30e3, 100e3, 300e3, 1e6}
	for _, cycles := range spins {
		r.add(engine.Spin{Cycles: cycles})
	}
	for _, bytes := range []int{s.cache() / 4, s.cache() * 4} {
		n := bytes / 4 / 2
		r.add(engine.Activate{Len: n, X: r.take(n), Y: r.take(n)})
	}
	r.calls = len(r.plan.Calls)
	r.grown = map[engine.Buffer]bool{}
	r.grow(len(s.noise))
	if err := r.workspace(b); err != nil {
		return t, err
	}
	exec, err := b.Prepare(&r.plan)
	if err != nil {
		return t, err
	}
	defer exec.Close()
	if err := s.fill(exec, &r.plan, r.calls, r.grown); err != nil {
		return t, err
	}
	if err := exec.Run(r.calls, len(r.plan.Calls)); err != nil {
		return t, err
	}

	latencyNS, medians := make([]int64, r.calls), make([][]int64, r.calls)
	var empty []int64
	for repeat := -1; repeat < repeats; repeat++ { // one to warm up
		if progress != nil {
			progress(max(0, repeat), repeats)
		}
		samples := make([][]int64, r.calls)
		for start := time.Now(); len(samples[0]) < lapsPerRepeat && (len(samples[0]) < 3 || time.Since(start) < time.Second); {
			if err := ctx.Err(); err != nil {
				return t, err
			}
			if err := exec.Time(latencyNS); err != nil {
				return t, err
			}
			for i, ns := range latencyNS {
				samples[i] = append(samples[i], ns)
			}
		}
		if repeat < 0 {
			continue
		}
		empty = append(empty, samples[0]...)
		for i := range samples {
			medians[i] = append(medians[i], Summarise(samples[i]).MedianNS)
		}
	}
	t = SelfTest{EmptyNS: Summarise(empty), StatedMHz: b.Info().ClockMHz}
	for i, c := range r.plan.Calls[1:r.calls] {
		p := Probe{Call: c.String(), MedianNSs: medians[i+1], MedianNS: Summarise(medians[i+1]).MedianNS}
		p.Spread = float64(slices.Max(p.MedianNSs)-slices.Min(p.MedianNSs)) / 2 / float64(max(1, p.MedianNS))
		switch c := c.(type) {
		case engine.Spin:
			p.Cycles = c.Cycles
		case engine.Activate:
			p.Bytes = 8 * int64(c.Len)
			p.GBPS = float64(p.Bytes) / float64(max(1, p.MedianNS))
		}
		t.Probes = append(t.Probes, p)
	}
	t.fit()
	return t, nil
}

// fit draws a straight line through the spins, each as important as its relative
// error, and tells how far each lies off it.
func (t *SelfTest) fit() {
	var cycles, ns, weights []float64
	for _, p := range t.Probes {
		if p.Cycles > 0 {
			cycles, ns = append(cycles, float64(p.Cycles)), append(ns, float64(p.MedianNS))
			weights = append(weights, 1/(float64(p.MedianNS)*float64(p.MedianNS)+1))
		}
	}
	offset, slope := stat.LinearRegression(cycles, ns, weights, false)
	t.ClockMHz = 1e3 / slope
	for i, p := range t.Probes {
		if line := offset + slope*float64(p.Cycles); p.Cycles > 0 {
			t.Probes[i].Bias = float64(p.MedianNS)/line - 1
		}
	}
}

// Bias is the worst of all probes, and Spread likewise.
func (t SelfTest) Bias() (bias, spread float64) {
	for _, p := range t.Probes {
		bias, spread = max(bias, math.Abs(p.Bias)), max(spread, p.Spread)
	}
	return bias, spread
}

// Shortest is how long a call must take for the instrument's own time to be less
// than a share of it.
func (t SelfTest) Shortest(share float64) time.Duration {
	return time.Duration(float64(t.EmptyNS.MedianNS) / share)
}
