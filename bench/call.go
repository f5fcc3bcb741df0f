package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"mdp/engine"
)

// Call times one call as an inference program of such a batch runs it. In a network what a call
// reads was written just before, by other code, and its output, filter and
// addend lie where calls ran since. So a few copies of the call take turns,
// each on memory of its own, and what each reads is written anew before it: one
// set of hot buffers flatters small calls, and going round many megabytes wrongs
// those of narrow networks, whose memory is small; so does it a large call's, whose
// memory is that of the large ones before it: copies that crowd the caches share theirs. Where the backend takes a batch's
// slices through a network one by one, so it does through these.
func Call(ctx context.Context, b engine.Backend, rule Rule, batch int, c engine.Call) (Result, error) {
	m, err := newStand(b, rule, batch).time(ctx, []engine.Call{c}, c)
	if err != nil {
		return Result{}, err
	}
	return m[0].Result, nil
}

// stand is a test stand for calls on a backend.
type stand struct {
	backend engine.Backend
	rule    Rule
	batch   int       // images of a call
	noise   []float32 // normal, what operands are filled with: never zeros
	sent    []float32 // the same again and again, as long as the longest was
	clock   *clock    // of the device, once a rule that watches it needs it

	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

func newStand(b engine.Backend, rule Rule, batch int) *stand {
	s := &stand{backend: b, rule: rule, batch: batch, noise: make([]float32, 1<<16), now: time.Now, sleep: sleep}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range s.noise {
		s.noise[i] = float32(r.NormFloat64())
	}
	return s
}

// reading is a row's part that comes from the device.
type reading struct {
	Result
	referenceNS int64 // what the reference took in the same rounds: see paired
	clockMHz    int   // median, where the rule watches it
	discarded   int   // samples that were taken while the clock was low
	how         string
}

// time samples the copies of the calls in turn, and reference once in every round. Only
// a rule that watches the clock takes more than one call.
func (s *stand) time(ctx context.Context, calls []engine.Call, reference engine.Call) (m []reading, err error) {
	round, err := s.round(calls, reference)
	if err != nil {
		return nil, err
	}
	exec, err := s.backend.Prepare(&round.plan)
	if err != nil {
		return nil, err
	}
	defer exec.Close()
	if err := s.fill(exec, &round.plan, round.calls, round.grown); err != nil {
		return nil, err
	}
	if err := exec.Run(round.calls, len(round.plan.Calls)); err != nil {
		return nil, err
	}
	latencyNS := make([]int64, round.calls)
	if err := exec.Time(latencyNS); err != nil { // touches every page
		return nil, err
	}
	if s.rule.MinClock > 0 {
		m, err = s.watch(ctx, exec, round)
	} else {
		m, err = s.sample(ctx, exec, round, latencyNS)
	}
	if h, ok := exec.(interface{ How(call int) string }); ok {
		for i := range m {
			m[i].how = h.How(round.timed[i][0])
		}
	}
	return m, err
}

// sample is time of one call under a rule that does not watch the clock.
func (s *stand) sample(ctx context.Context, exec engine.Executor, round *round, latencyNS []int64) ([]reading, error) {
	timed := round.timed[0]
	next := len(timed)
	var beside []int64 // the reference in the round of every sample
	r, err := Measure(ctx, s.rule, func() (int64, error) {
		if next == len(timed) {
			next = 0
			if err := exec.Time(latencyNS); err != nil {
				return 0, err
			}
		}
		next++
		beside = append(beside, latencyNS[round.reference])
		return latencyNS[timed[next-1]], nil
	})
	if err != nil {
		return nil, err
	}
	return []reading{{Result: r, referenceNS: paired(r, beside[len(beside)-len(r.SamplesNS):])}}, nil // what came before was the warm-up's
}

// paired is the latency of a reference whose ratio to r's median is the median of
// the ratios of samples taken in one round. A machine that changes its pace between
// rounds moves the medians of the two past each other, but not these ratios. Those of a
// call of few ticks are two or three numbers, of which none is what lies between the
// ticks: its reference is looked for there, too, as its own latency was. What is too fast
// to be timed is taken to take 1 ns: a table's rows are read as shares of it.
func paired(r Result, besideNS []int64) int64 {
	x := slices.Sorted(slices.Values(r.SamplesNS))
	if _, _, ok := betweenTicks(x, x[len(x)/2], r.TickNS); ok {
		return max(1, summarise(besideNS, r.TickNS).MedianNS)
	}
	ratios := make([]float64, len(besideNS))
	for i, ns := range besideNS {
		ratios[i] = float64(ns) / float64(max(1, r.SamplesNS[i]))
	}
	return max(1, int64(math.Round(median(ratios)*float64(max(1, r.MedianNS)))))
}

// fill writes what the first calls of the plan find in memory; of an operand that
// grows on the device, the start.
func (s *stand) fill(exec engine.Executor, p *engine.Plan, calls int, grown map[engine.Buffer]bool) error {
	for _, o := range found(p, calls) {
		n := o.Len
		if grown[o.Buffer] {
			n = min(n, len(s.noise))
		}
		if err := exec.Write(o.Buffer, s.data(o.Name, n)); err != nil {
			return err
		}
	}
	return nil
}

// found is what a plan's first calls read before one of them writes it, each place in
// memory once.
func found(p *engine.Plan, calls int) (all []engine.Operand) {
	type place struct {
		offset int
		lane   bool
	}
	known := map[place]int{} // elements
	for i := range calls {
		operands := p.Slice(i).Operands()
		at := func(o engine.Operand) place { s := p.Span(o.Buffer); return place{s.Offset, s.Lane} }
		for _, o := range operands {
			if o.Read && o.Len > known[at(o)] {
				known[at(o)] = o.Len
				all = append(all, o)
			}
		}
		for _, o := range operands {
			known[at(o)] = max(known[at(o)], o.Len)
		}
	}
	return all
}

// data is so much noise for an operand; of labels the class zero.
func (s *stand) data(name string, n int) []float32 {
	if name == "labels" {
		return make([]float32, n)
	}
	for len(s.sent) < n {
		s.sent = append(s.sent, s.noise...)
	}
	if name != "runvar" {
		return s.sent[:n]
	}
	data := slices.Clone(s.sent[:n])
	for i, v := range data {
		data[i] = float32(math.Abs(float64(v)))
	}
	return data
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
