package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"mdp/engine"
)

// Call times one call as an inference program runs it. In a network what a call
// reads was written just before, by other code, and its output, filter and
// addend lie where calls ran since. So a few copies of the call take turns,
// each on memory of its own, and what each reads is written anew before it: one
// set of hot buffers flatters small calls, and going round many megabytes wrongs
// those of narrow networks, whose memory is small.
func Call(ctx context.Context, b engine.Backend, rule Rule, c engine.Call) (Result, error) {
	r, _, err := newStand(b, rule).time(ctx, c, c)
	return r, err
}

// copies of a call that take turns: about as many activations as are alive in
// a network at once.
const copies = 3

// stand is a test stand for calls on a backend.
type stand struct {
	backend engine.Backend
	rule    Rule
	noise   []float32 // normal, what operands are filled with: never zeros
}

func newStand(b engine.Backend, rule Rule) *stand {
	s := &stand{backend: b, rule: rule, noise: make([]float32, 1<<18)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range s.noise {
		s.noise[i] = float32(r.NormFloat64())
	}
	return s
}

// time samples the copies in turn. referenceNS is the median of what reference
// took meanwhile, once in every round.
func (s *stand) time(ctx context.Context, c, reference engine.Call) (r Result, referenceNS int64, err error) {
	round, err := s.round(c, reference)
	if err != nil {
		return Result{}, 0, err
	}
	exec, err := s.backend.Prepare(&round.plan)
	if err != nil {
		return Result{}, 0, err
	}
	defer exec.Close()
	if err := s.fill(exec, &round.plan); err != nil {
		return Result{}, 0, err
	}
	latencyNS := make([]int64, len(round.plan.Calls))
	if err := exec.Time(latencyNS); err != nil { // touches every page
		return Result{}, 0, err
	}
	next := len(round.timed)
	var references []int64
	r, err = Measure(ctx, s.rule, func() (int64, error) {
		if next == len(round.timed) {
			next = 0
			if err := exec.Time(latencyNS); err != nil {
				return 0, err
			}
			references = append(references, latencyNS[len(latencyNS)-1])
		}
		next++
		return latencyNS[round.timed[next-1]], nil
	})
	if err != nil {
		return Result{}, 0, err
	}
	return r, Summarise(references).MedianNS, nil
}

// round is a plan that goes through the copies of a call, and a reference, once.
type round struct {
	plan  engine.Plan
	timed []int // the copies among its calls; the last call is the reference
}

func (s *stand) round(c, reference engine.Call) (*round, error) {
	r := &round{plan: engine.Plan{Spans: make([]engine.Span, 1)}}
	source := map[int]engine.Buffer{} // by length
	for i := range copies + 1 {
		if i == copies {
			c = reference
		}
		d, err := r.own(c)
		if err != nil {
			return nil, err
		}
		for _, o := range d.Operands() {
			if o.Name == "x" || o.Name == "a" {
				if source[o.Len] == engine.None {
					source[o.Len] = r.take(o.Len)
				}
				r.plan.Calls = append(r.plan.Calls, engine.Activate{Len: o.Len, Y: o.Buffer, X: source[o.Len]})
			}
		}
		if i < copies {
			r.timed = append(r.timed, len(r.plan.Calls))
		}
		r.plan.Calls = append(r.plan.Calls, d)
	}

	for _, d := range r.plan.Calls {
		if conv, ok := d.(engine.ConvForward); ok {
			r.plan.Constant = append(r.plan.Constant, conv.W)
		}
	}
	if err := r.workspace(s.backend); err != nil {
		return nil, err
	}
	return r, nil
}

// own is the call on memory of its own.
func (r *round) own(c engine.Call) (engine.Call, error) {
	operands := c.Operands()
	d, ok := rebind(c, func(engine.Buffer) engine.Buffer {
		n := operands[0].Len
		operands = operands[1:]
		return r.take(n)
	})
	if !ok {
		return nil, fmt.Errorf("no call of an inference program")
	}
	return d, nil
}

// workspace gives all calls one scratch memory.
func (r *round) workspace(b engine.Backend) error {
	scratch := 0
	for _, c := range r.plan.Calls {
		if err := b.Supports(c); err != nil {
			return err
		}
		scratch = max(scratch, b.Workspace(c))
	}
	workspace := engine.None
	if scratch > 0 {
		workspace = r.take(scratch)
	}
	r.plan.Workspace = slices.Repeat([]engine.Buffer{workspace}, len(r.plan.Calls))
	return nil
}

// take is a buffer of n float32, on a cache line as the engine's are.
func (r *round) take(n int) engine.Buffer {
	r.plan.Spans = append(r.plan.Spans, engine.Span{Offset: r.plan.Len, Len: n})
	r.plan.Len += (n + 15) / 16 * 16
	return engine.Buffer(len(r.plan.Spans) - 1)
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
