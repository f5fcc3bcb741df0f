package bench

import (
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"

	"mdp/engine"
)

// fake is a backend whose calls take as long as their size says, by its clock if
// it has one, else no time passing. slow lists by how much each Prepare's executor
// is slower, 1 when it runs out.
type fake struct {
	slow  *[]int64
	clock *fakeClock
}

func (fake) Name() string               { return "fake" }
func (fake) Info() engine.Info          { return engine.Info{Device: "fake"} }
func (fake) Supports(engine.Call) error { return nil }
func (fake) Workspace(engine.Call) int  { return 3 }
func (fake) Slicer() engine.Slicer      { return nil }
func (f fake) Prepare(p *engine.Plan) (engine.Executor, error) {
	if f.slow != nil && len(*f.slow) > 0 {
		slow := (*f.slow)[0]
		*f.slow = (*f.slow)[1:]
		return &fakeExecutor{p, slow, f.clock}, nil
	}
	return &fakeExecutor{p, 1, f.clock}, nil
}

type fakeExecutor struct {
	plan  *engine.Plan
	slow  int64
	clock *fakeClock
}

func (*fakeExecutor) Write(engine.Buffer, []float32) error { return nil }
func (*fakeExecutor) Read([]float32, engine.Buffer) error  { return nil }
func (*fakeExecutor) Start(int, int) error                 { return nil }
func (*fakeExecutor) Close() error                         { return nil }
func (e *fakeExecutor) Run(from, to int) error {
	for _, c := range e.plan.Calls[from:to] {
		if e.clock != nil {
			e.clock.pass(e.slow * fakeNS(c))
		}
	}
	return nil
}
func (e *fakeExecutor) Time(latencyNS []int64) error {
	for i, c := range e.plan.Calls[:len(latencyNS)] {
		latencyNS[i] = e.slow * fakeNS(c)
	}
	return nil
}

func fakeNS(c engine.Call) int64 { return int64(1000 + size(c)) }

// quick is a rule for the fake backend.
func quick() Rule {
	return Rule{MinSamples: 3, MaxRSD: 1, PlateauWindow: 2, PlateauEvery: 1, MaxSamples: 10, TimeoutNS: 1e9}
}

func conv(c, k int) engine.ConvForward {
	return engine.ConvForward{
		Conv: engine.Conv{N: 2, H: 8, W: 8, C: c, K: k, R: 3, S: 3, P: 8, Q: 8, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
		Y:    1, X: 2, W: 3, B: 4, Act: engine.ReLU,
	}
}

// grid is n×n configurations of one layer.
func grid(n int) []engine.Call {
	var calls []engine.Call
	for in := 1; in <= n; in++ {
		for out := 1; out <= n; out++ {
			calls = append(calls, WithChannels(conv(8, 8), in, out))
		}
	}
	return calls
}

func header() Header {
	return Header{Format: format, Version: version, Machine: "m", CPU: "c", Cores: 2, OS: "o", Backend: "fake", Info: fake{}.Info(), Build: "b", Go: "g", DType: "float32", Batch: 2, Rule: quick()}
}

// seeded is a generator whose stream is the test's own.
func seeded(t *testing.T) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(1, h.Sum64()))
}

// fakeClock is a clock that sampling moves on.
type fakeClock struct{ at time.Time }

func (c *fakeClock) now() time.Time       { return c.at }
func (c *fakeClock) pass(latencyNS int64) { c.at = c.at.Add(time.Duration(latencyNS)) }
func (c *fakeClock) sampler(draw func() int64) func() (int64, error) {
	return func() (int64, error) {
		ns := draw()
		c.pass(ns)
		return ns, nil
	}
}
