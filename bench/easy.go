package bench

import (
	"errors"
	"slices"
	"time"

	"mdp/engine"
)

// easy is calls from which a device's ceilings are read: convolutions of even
// sizes, and copies, sums and reductions of memory.
type easy struct {
	plan      engine.Plan
	exec      engine.Executor
	latencyNS []int64
	samples   [][]int64 // by call
	took      time.Duration
}

// again is how often each call follows itself; the last one counts, which finds
// the caches as it left them.
const again = 2

// Bytes that the calls on memory touch: from a first-level cache's, by fours, to
// more than any cache's.
const (
	fewestBytes = 64 << 10
	mostBytes   = 256 << 20
)

func newEasy(b engine.Backend) (*easy, error) {
	e := &easy{}
	r := round{plan: engine.Plan{Spans: make([]engine.Span, 1)}}
	convolve := func(side, c, k, taps int) {
		conv := engine.Conv{
			N: 4, H: side, W: side, C: c, K: k, R: taps, S: taps, P: side, Q: side,
			Stride: [2]int{1, 1}, Pad: [2]int{taps / 2, taps / 2}, Dilation: [2]int{1, 1}, Groups: 1,
		}
		f := engine.ConvForward{Conv: conv, Y: r.take(4 * side * side * k), X: r.take(4 * side * side * c), W: r.take(k * taps * taps * c)}
		r.plan.Calls = append(r.plan.Calls, f)
		r.plan.Constant = append(r.plan.Constant, f.W)
	}
	convolve(48, 128, 96, 1) // for a processor, whose caches it fits
	convolve(56, 64, 64, 3)
	convolve(28, 512, 512, 1)
	convolve(28, 512, 512, 3) // for a GPU, which it fills
	const most = mostBytes / 4
	x, y, z, sums := r.take(most), r.take(most/2), r.take(most/3), r.take(64)
	for n := fewestBytes / 4; n <= most; n *= 4 {
		r.plan.Calls = append(r.plan.Calls,
			engine.Activate{Len: n / 2, Y: y, X: x},
			engine.Add{Len: n / 3, Y: z, A: x, B: y},
			engine.BiasBackward{Rows: n / 64, C: 64, DB: sums, DY: x})
	}
	once := r.plan.Calls
	var all []engine.Call
	for _, c := range once {
		all = append(all, slices.Repeat([]engine.Call{c}, again)...)
	}
	r.plan.Calls = all
	if err := r.workspace(b); err != nil {
		return nil, err
	}
	e.plan = r.plan
	e.latencyNS, e.samples = make([]int64, len(all)), make([][]int64, len(all)/again)
	var err error
	if e.exec, err = b.Prepare(&e.plan); err != nil {
		return nil, err
	}
	if err := newStand(b, Rule{}, 1).fill(e.exec, &engine.Plan{Spans: e.plan.Spans, Calls: once}, len(once), nil); err != nil {
		return nil, errors.Join(err, e.exec.Close())
	}
	if err := e.exec.Time(e.latencyNS); err != nil { // touches every page
		return nil, errors.Join(err, e.exec.Close())
	}
	return e, nil
}

// time takes a sample of every call.
func (e *easy) time() error {
	start := time.Now()
	defer func() { e.took += time.Since(start) }()
	if err := e.exec.Time(e.latencyNS); err != nil {
		return err
	}
	for i := range e.samples {
		e.samples[i] = append(e.samples[i], e.latencyNS[(i+1)*again-1])
	}
	return nil
}

// ceilings are the best of all samples: what stood in a call's way was not its own.
func (e *easy) ceilings() Ceilings {
	var c Ceilings
	best := map[int64]float64{}
	for i, ns := range e.samples {
		w, s := WorkOf(e.plan.Calls[i*again], engine.Float32), float64(max(slices.Min(ns), 1))/1e9
		if w.FLOP > 0 {
			c.FLOPS = max(c.FLOPS, float64(w.FLOP)/s)
			continue
		}
		bytes := int64(fewestBytes)
		for bytes*2 < w.Bytes { // what was asked for; a third of it rounds down
			bytes *= 4
		}
		best[bytes] = max(best[bytes], float64(w.Bytes)/s)
	}
	for bytes := int64(fewestBytes); bytes <= mostBytes; bytes *= 4 {
		c.Bandwidth = append(c.Bandwidth, Bandwidth{bytes, best[bytes]})
	}
	return c
}
