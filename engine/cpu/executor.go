package cpu

import (
	"fmt"
	"slices"
	"unsafe"

	"mdp/engine"
)

// Prepare allocates the plan's memory and compiles its calls.
func (b *Backend) Prepare(p *engine.Plan) (engine.Executor, error) {
	if need, free := 4*int64(p.Words()), availableBytes(); need > free {
		return nil, fmt.Errorf("cpu: the plan needs %.1f GiB of memory, %.1f GiB are available: use a smaller batch", float64(need)/(1<<30), float64(free)/(1<<30))
	}
	e := &executor{plan: p, memory: aligned(p.Len), ops: make([]op, len(p.Calls))}
	for i := range p.Calls {
		if err := b.check(p, i); err != nil {
			return nil, err
		}
	}
	constant := func(w engine.Buffer) bool { return slices.Contains(p.Constant, w) }
	for range p.Lanes {
		e.lanes = append(e.lanes, newLane(b, e, constant))
	}
	for i, c := range p.Calls {
		if s := p.Stage(i); s.Images < p.Batch {
			e.extend(p.Batch/s.Images, i)
			continue
		}
		e.extend(1, i)
		var scratch []float32
		if p.Workspace != nil {
			scratch = e.buffer(p.Workspace[i])
		}
		e.ops[i] = b.compile(c, e.buffer, scratch, constant)
	}
	e.team = newTeam(b.threads)
	return e, nil
}

// check that call i is supported and that its buffers hold its operands.
func (b *Backend) check(p *engine.Plan, i int) error {
	c := p.Slice(i)
	if err := b.Supports(c); err != nil {
		return err
	}
	for _, o := range c.Operands() {
		if n := p.Span(o.Buffer).Len; n < o.Len {
			return fmt.Errorf("cpu: %v: %s has %d elements, its buffer holds %d", c, o.Name, o.Len, n)
		}
		if s := p.Span(o.Buffer).Storage; s != engine.Float32 {
			return fmt.Errorf("cpu: %v: %s lies in memory as %v; the processor has %v alone", c, o.Name, s, engine.Float32)
		}
	}
	have := 0
	if p.Workspace != nil {
		have = p.Span(p.Workspace[i]).Len
	}
	if n, _ := p.Scratch(b, i); have < n {
		return fmt.Errorf("cpu: %v: workspace holds %d elements, want %d", c, have, n)
	}
	return nil
}

type executor struct {
	plan   *engine.Plan
	memory []float32
	ops    []op // by call, nil where the lanes have it
	stages []stage
	lanes  []*lane
	packed bool // the lanes' filters
	team   *team

	copying copying // by all workers: images are many
}

type copying struct{ dst, src []float32 }

func (c *copying) do(_, i int) { copy(piece(c.dst, i), piece(c.src, i)) }

// keeper is an op that keeps what it made of a constant operand, by pack, until it
// is told to forget it. Its twins in other lanes share that.
type keeper interface {
	op
	pack(t *team)
	forget()
	share(with op)
}

// buffer is b's part of the memory, nil for None.
func (e *executor) buffer(b engine.Buffer) []float32 { return within(e.memory, e.plan.Span(b)) }

func within(memory []float32, s engine.Span) []float32 {
	if s.Len == 0 {
		return nil
	}
	return memory[s.Offset : s.Offset+s.Len : s.Offset+s.Len]
}

func (e *executor) Write(dst engine.Buffer, src []float32) error {
	span := e.plan.Span(dst)
	if len(src) > span.Len {
		return fmt.Errorf("cpu: write of %d elements to buffer %d, which holds %d", len(src), dst, span.Len)
	}
	if span.Lane {
		for _, l := range e.lanes {
			copy(within(l.memory, span), src)
		}
		return nil
	}
	e.copying = copying{e.buffer(dst)[:len(src)], src}
	e.team.run(&e.copying, pieces(len(src)))
	e.copying = copying{}
	if slices.Contains(e.plan.Constant, dst) {
		e.packed = false
		forget(e.ops)
		for _, l := range e.lanes {
			forget(l.ops)
		}
	}
	return nil
}

func forget[O op](ops []O) {
	for _, o := range ops {
		if k, ok := op(o).(keeper); ok {
			k.forget()
		}
	}
}

// Read of what the lanes have is of the first one's.
func (e *executor) Read(dst []float32, src engine.Buffer) error {
	span := e.plan.Span(src)
	if len(dst) > span.Len {
		return fmt.Errorf("cpu: read of %d elements from buffer %d, which holds %d", len(dst), src, span.Len)
	}
	if span.Lane {
		copy(dst, within(e.lanes[0].memory, span))
	} else {
		copy(dst, e.buffer(src))
	}
	return nil
}

func (e *executor) Run(from, to int) error {
	if from < 0 || from > to || to > len(e.ops) {
		return fmt.Errorf("cpu: run of calls %d to %d of a plan of %d", from, to, len(e.ops))
	}
	for i := range e.stages {
		e.stages[i].run(from, to, nil)
	}
	return nil
}

// Start is Run: the processor has nothing else to do.
func (e *executor) Start(from, to int) error { return e.Run(from, to) }

func (e *executor) Time(latencyNS []int64) error {
	if len(latencyNS) > len(e.ops) {
		return fmt.Errorf("cpu: %d latencies for a plan of %d calls", len(latencyNS), len(e.ops))
	}
	for i := range e.stages {
		e.stages[i].run(0, len(latencyNS), latencyNS)
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
