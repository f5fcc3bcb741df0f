package bench

import (
	"fmt"
	"math"
	"slices"

	"mdp/engine"
)

// Rule says when enough samples were taken: at least MinSamples of them that
// took MinTotalNS together, and either their relative standard deviation is
// below MaxRSD or it has plateaued, since a noisy machine never gets quieter.
// This is nvbench's stdrel criterion.
type Rule struct {
	WarmUpNS   int64   `json:"warmUpNS"` // wall time thrown away first; one sample at least
	MinSamples int     `json:"minSamples"`
	MinTotalNS int64   `json:"minTotalNS"`
	MaxRSD     float64 `json:"maxRSD"`

	// The plateau: the relative standard deviation, noted after every sample,
	// spread by less than PlateauSpread of its last value over the last
	// PlateauWindow notes; looked at every PlateauEvery samples.
	PlateauWindow int     `json:"plateauWindow"`
	PlateauEvery  int     `json:"plateauEvery"`
	PlateauSpread float64 `json:"plateauSpread"`

	MaxSamples int   `json:"maxSamples"` // bounds what is kept of a short call
	TimeoutNS  int64 `json:"timeoutNS"`  // wall time after which no sample is started

	Caches Caches `json:"caches,omitempty"`

	// Where MaxHalf is positive it takes MaxRSD's place: half of the median's 95 % interval
	// is below that share of it, or below a sixteenth of the timer's tick, which takes about
	// two hundred samples. What no MaxSamples would bring there ends at the plateau.
	MaxHalf float64 `json:"maxHalf,omitempty"`

	// Together is how many configurations of a layer share each round, and with it what
	// they do not differ in: their largest beside them, the clock's reading, the wait for
	// the device. Only of a rule that watches the clock, and 0 or 1 is each by itself.
	Together int `json:"together,omitempty"`

	// Where MinClock is positive the device's clock is watched: the warm-up ends when
	// three readings lie within Steady of one another and of the row before, or after
	// WarmUpNS; samples taken below MinClock of the highest clock seen are thrown away.
	MinClock float64 `json:"minClock,omitempty"`
	Steady   float64 `json:"steady,omitempty"`
}

// CallRule suits one call on a processor: some 20 to 60 ms for a small one.
func CallRule() Rule {
	return Rule{
		WarmUpNS: 3e6, MinSamples: 10, MinTotalNS: 20e6, MaxRSD: 0.05,
		PlateauWindow: 64, PlateauEvery: 16, PlateauSpread: 0.05,
		MaxSamples: 2048, TimeoutNS: 5e9,
	}
}

// TableRule suits one call of a table that is measured without a run: the device's
// clock is watched, and a GPU, whose own timer is quiet, needs little of each.
func TableRule(device engine.Info, caches Caches) Rule {
	r := CallRule()
	r.WarmUpNS, r.MinClock, r.Steady, r.Caches = 20e6, 0.75, 0.02, caches
	if device.Device != "cpu" {
		r.MinSamples, r.MinTotalNS, r.MaxRSD, r.MaxHalf, r.MaxSamples, r.TimeoutNS = 9, 0, 0, 0.0035, 512, 2e9
		r.PlateauWindow, r.PlateauEvery, r.Together = 32, 8, 8
	}
	return r
}

// RunRule suits one call of a run's own table: on a GPU as any table's, whose clock may
// fall; a processor's pace is that of the network between its rows.
func RunRule(device engine.Info) Rule {
	if device.Device == "cpu" {
		return CallRule()
	}
	return TableRule(device, AsInNetwork)
}

// NetworkRule suits whole programs on a processor: about a second for each.
func NetworkRule() Rule {
	return Rule{
		WarmUpNS: 100e6, MinSamples: 20, MinTotalNS: 1e9, MaxRSD: 0.01,
		PlateauWindow: 64, PlateauEvery: 16, PlateauSpread: 0.05,
		MaxSamples: 4096, TimeoutNS: 15e9,
	}
}

func (r Rule) check() error {
	switch {
	case r.MinSamples < 1, r.MaxSamples < r.MinSamples:
		return fmt.Errorf("rule: samples from %d to %d; want 1 ≤ minSamples ≤ maxSamples", r.MinSamples, r.MaxSamples)
	case r.PlateauWindow < 2, r.PlateauEvery < 1:
		return fmt.Errorf("rule: plateau of %d samples looked at every %d; want at least 2 and 1", r.PlateauWindow, r.PlateauEvery)
	case r.WarmUpNS < 0, r.MinTotalNS < 0, r.TimeoutNS <= 0:
		return fmt.Errorf("rule: times %d, %d and %d ns; want warmUpNS ≥ 0, minTotalNS ≥ 0 and timeoutNS > 0", r.WarmUpNS, r.MinTotalNS, r.TimeoutNS)
	case !(r.MaxRSD >= 0), !(r.MaxHalf >= 0), !(r.PlateauSpread >= 0):
		return fmt.Errorf("rule: maxRSD %g, maxHalf %g and plateauSpread %g must not be negative", r.MaxRSD, r.MaxHalf, r.PlateauSpread)
	case !(r.MinClock >= 0 && r.MinClock < 1), !(r.Steady >= 0):
		return fmt.Errorf("rule: minClock %g and steady %g; want 0 ≤ minClock < 1 and steady ≥ 0", r.MinClock, r.Steady)
	case r.Together < 0, r.Together > 1 && r.MinClock == 0:
		return fmt.Errorf("rule: %d configurations together; want one, or a clock that is watched", r.Together)
	case !slices.Contains([]Caches{AsInNetwork, Cold, Hot}, r.Caches):
		return fmt.Errorf("rule: caches %q are neither cold nor hot", r.Caches)
	}
	return nil
}

// Stop is why sampling ended.
type Stop string

// The reasons to stop.
const (
	Quiet   Stop = "quiet"   // the deviation fell below MaxRSD, or the interval below MaxHalf
	Plateau Stop = "plateau" // the deviation no longer changes
	Full    Stop = "full"    // MaxSamples were taken
	Timeout Stop = "timeout" // TimeoutNS passed
)

// run is the samples taken so far and, by Welford's recurrence, their deviation.
type run struct {
	samplesNS []int64
	tickNS    int64 // of the timer, 0 where it is not known
	totalNS   int64
	mean, m2  float64
	rsd       []float64 // after each sample
	look      int       // samples at which the interval is looked at next
	stop      Stop      // set once
}

func (r *run) add(latencyNS int64) {
	r.samplesNS = append(r.samplesNS, latencyNS)
	r.totalNS += latencyNS
	n, x := float64(len(r.samplesNS)), float64(latencyNS)
	d := x - r.mean
	r.mean += d / n
	r.m2 += d * (x - r.mean)
	rsd := 0.0
	if n > 1 && r.mean > 0 {
		rsd = math.Sqrt(r.m2/(n-1)) / r.mean
	}
	r.rsd = append(r.rsd, rsd)
}

// content says that the rule asks for no further sample.
func (r *run) content(rule Rule) bool {
	if r.stop != "" {
		return true
	}
	n := len(r.samplesNS)
	switch {
	case n >= rule.MaxSamples:
		r.stop = Full
	case n < rule.MinSamples || r.totalNS < rule.MinTotalNS:
	case rule.MaxHalf > 0:
		r.narrow(rule)
	case r.rsd[n-1] <= rule.MaxRSD:
		r.stop = Quiet
	case n%rule.PlateauEvery == 0 && r.plateau(rule):
		r.stop = Plateau
	}
	return r.stop != ""
}

// narrow looks at the interval, each time with a quarter more samples: one that is
// looked at all the time is narrow by chance some time.
func (r *run) narrow(rule Rule) {
	n := len(r.samplesNS)
	if n < r.look {
		return
	}
	r.look = n + n/4 + 1
	s := summarise(r.samplesNS, r.tickNS)
	want := max(rule.MaxHalf*float64(s.MedianNS), float64(r.tickNS)/16)
	half := float64(max(s.HighNS-s.MedianNS, s.MedianNS-s.LowNS)) / max(1, want)
	switch {
	case half <= 1:
		r.stop = Quiet
	case float64(n)*half*half > float64(rule.MaxSamples) && r.plateau(rule):
		r.stop = Plateau
	}
}

func (r *run) plateau(rule Rule) bool {
	return len(r.rsd) > rule.PlateauWindow && r.spread(rule.PlateauWindow) < rule.PlateauSpread
}

// spread is how far the last notes of the deviation lie from the last of all,
// root mean square, relative to it.
func (r *run) spread(window int) float64 {
	notes := r.rsd[len(r.rsd)-window:]
	last, sum := notes[window-1], 0.0
	for _, v := range notes {
		sum += (v - last) * (v - last)
	}
	return math.Sqrt(sum/float64(window)) / last
}
