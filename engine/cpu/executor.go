package cpu

import (
	"fmt"
	"slices"
	"time"
	"unsafe"

	"mdp/engine"
)

// Prepare allocates the plan's memory and compiles its calls.
func (b *Backend) Prepare(p *engine.Plan) (engine.Executor, error) {
	if need, free := 4*int64(p.Len), availableBytes(); need > free {
		return nil, fmt.Errorf("cpu: the plan needs %.1f GiB of memory, %.1f GiB are available: use a smaller batch", float64(need)/(1<<30), float64(free)/(1<<30))
	}
	e := &executor{spans: p.Spans, memory: aligned(p.Len), ops: make([]op, len(p.Calls)), constant: p.Constant}
	for i, c := range p.Calls {
		if err := b.Supports(c); err != nil {
			return nil, err
		}
		for _, o := range c.Operands() {
			if n := p.Span(o.Buffer).Len; n < o.Len {
				return nil, fmt.Errorf("cpu: %v: %s has %d elements, its buffer holds %d", c, o.Name, o.Len, n)
			}
			if s := p.Span(o.Buffer).Storage; s != engine.Float32 {
				return nil, fmt.Errorf("cpu: %v: %s lies in memory as %v; the processor has %v alone", c, o.Name, s, engine.Float32)
			}
		}
		var scratch []float32
		if p.Workspace != nil {
			scratch = e.buffer(p.Workspace[i])
		}
		if n := b.Workspace(c); len(scratch) < n {
			return nil, fmt.Errorf("cpu: %v: workspace holds %d elements, want %d", c, len(scratch), n)
		}
		e.ops[i] = b.compile(c, e.buffer, scratch, func(w engine.Buffer) bool { return slices.Contains(p.Constant, w) })
	}
	e.team = newTeam(b.threads)
	return e, nil
}

type executor struct {
	spans  []engine.Span
	memory []float32
	ops    []op
	team   *team

	constant []engine.Buffer
}

// keeper is an op that keeps what it made of a constant operand until it is
// told that one was written.
type keeper interface{ forget() }

// buffer is b's part of the memory, nil for None.
func (e *executor) buffer(b engine.Buffer) []float32 {
	if b == engine.None {
		return nil
	}
	s := e.spans[b]
	return e.memory[s.Offset : s.Offset+s.Len : s.Offset+s.Len]
}

func (e *executor) Write(dst engine.Buffer, src []float32) error {
	to := e.buffer(dst)
	if len(src) > len(to) {
		return fmt.Errorf("cpu: write of %d elements to buffer %d, which holds %d", len(src), dst, len(to))
	}
	copy(to, src)
	if slices.Contains(e.constant, dst) {
		for _, o := range e.ops {
			if k, ok := o.(keeper); ok {
				k.forget()
			}
		}
	}
	return nil
}

func (e *executor) Read(dst []float32, src engine.Buffer) error {
	from := e.buffer(src)
	if len(dst) > len(from) {
		return fmt.Errorf("cpu: read of %d elements from buffer %d, which holds %d", len(dst), src, len(from))
	}
	copy(dst, from)
	return nil
}

func (e *executor) Run(from, to int) error {
	if from < 0 || from > to || to > len(e.ops) {
		return fmt.Errorf("cpu: run of calls %d to %d of a plan of %d", from, to, len(e.ops))
	}
	for _, o := range e.ops[from:to] {
		o.run(e.team)
	}
	return nil
}

// Start is Run: the processor has nothing else to do.
func (e *executor) Start(from, to int) error { return e.Run(from, to) }

func (e *executor) Time(latencyNS []int64) error {
	if len(latencyNS) > len(e.ops) {
		return fmt.Errorf("cpu: %d latencies for a plan of %d calls", len(latencyNS), len(e.ops))
	}
	for i, o := range e.ops[:len(latencyNS)] {
		start := time.Now()
		o.run(e.team)
		latencyNS[i] = time.Since(start).Nanoseconds()
	}
	return nil
}

// Close ends the worker goroutines.
func (e *executor) Close() error {
	if e.team != nil {
		e.team.close()
		*e = executor{}
	}
	return nil
}

// aligned allocates n zeros that start on a cache line, or, if there are many, on a huge page.
func aligned(n int) []float32 {
	boundary := 64
	if 4*n >= 4*hugePage {
		boundary = hugePage
	}
	m := make([]float32, n+boundary/4)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(m)))%uintptr(boundary)) / 4
	if m = m[skip : skip+n : skip+n]; boundary == hugePage {
		onHugePages(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m))), 4*n))
	}
	return m
}

// hugePage is the size of one, in bytes: a buffer's passes then miss the table of
// pages 512 times less often.
const hugePage = 2 << 20
