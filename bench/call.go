package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"mdp/engine"
)

// Call times one call as an inference program runs it; see stand.
func Call(ctx context.Context, b engine.Backend, rule Rule, c engine.Call) (Result, error) {
	return newStand(b, rule).time(ctx, c)
}

// stand is a test stand for calls on a backend.
type stand struct {
	backend engine.Backend
	rule    Rule
	noise   []float32 // normal, what operands are filled with: never zeros
}

// The copies of a call go through rotation float32 of memory, unless that takes
// more than maxCopies: a network's call finds its output and its weights where
// other calls ran since.
const (
	rotation  = 4 << 20
	maxCopies = 32
)

func newStand(b engine.Backend, rule Rule) *stand {
	s := &stand{backend: b, rule: rule, noise: make([]float32, 1<<18)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range s.noise {
		s.noise[i] = float32(r.NormFloat64())
	}
	return s
}

// time runs copies of the call one after the other, each on memory of its own,
// and samples the time of each.
func (s *stand) time(ctx context.Context, c engine.Call) (Result, error) {
	plan, err := s.plan(c)
	if err != nil {
		return Result{}, err
	}
	exec, err := s.backend.Prepare(plan)
	if err != nil {
		return Result{}, err
	}
	defer exec.Close()
	if err := s.fill(exec, plan); err != nil {
		return Result{}, err
	}
	latencyNS := make([]int64, len(plan.Calls))
	if err := exec.Time(latencyNS); err != nil { // touches every page
		return Result{}, err
	}
	next := len(latencyNS)
	return Measure(ctx, s.rule, func() (int64, error) {
		if next == len(latencyNS) {
			next = 0
			if err := exec.Time(latencyNS); err != nil {
				return 0, err
			}
		}
		next++
		return latencyNS[next-1], nil
	})
}

// plan is copies of the call.
func (s *stand) plan(c engine.Call) (*engine.Plan, error) {
	if err := s.backend.Supports(c); err != nil {
		return nil, err
	}
	p := &engine.Plan{Spans: make([]engine.Span, 1)}
	take := func(n int) engine.Buffer {
		p.Spans = append(p.Spans, engine.Span{Offset: p.Len, Len: n})
		p.Len += (n + 15) / 16 * 16
		return engine.Buffer(len(p.Spans) - 1)
	}
	copies := min(max(1, rotation/size(c)), maxCopies)
	for range copies {
		operands := c.Operands()
		d, ok := rebind(c, func(engine.Buffer) engine.Buffer {
			n := operands[0].Len
			operands = operands[1:]
			return take(n)
		})
		if !ok {
			return nil, fmt.Errorf("no call of an inference program")
		}
		p.Calls = append(p.Calls, d)
	}
	workspace := engine.None
	if n := s.backend.Workspace(c); n > 0 {
		workspace = take(n)
	}
	for _, d := range p.Calls {
		p.Workspace = append(p.Workspace, workspace)
		if conv, ok := d.(engine.ConvForward); ok {
			p.Constant = append(p.Constant, conv.W)
		}
	}
	return p, nil
}

// fill writes every operand that is read.
func (s *stand) fill(exec engine.Executor, p *engine.Plan) error {
	for _, c := range p.Calls {
		for _, o := range c.Operands() {
			if !o.Read || o.Name == "labels" { // zero is a class
				continue
			}
			data := make([]float32, o.Len)
			for n := 0; n < o.Len; {
				n += copy(data[n:], s.noise)
			}
			if o.Name == "runvar" {
				for i, v := range data {
					data[i] = float32(math.Abs(float64(v)))
				}
			}
			if err := exec.Write(o.Buffer, data); err != nil {
				return err
			}
		}
	}
	return nil
}
