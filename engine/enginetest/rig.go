package enginetest

import (
	"errors"
	"fmt"
	"math"

	"mdp/engine"
)

// A rig lays a call's operands out in one memory, each between guard zones, all
// of it filled with a NaN that no arithmetic makes: where the call reads what it
// has not written, or leaves an output out, the result is NaN, and where it
// writes what is not its to write, the NaN is gone.
type rig struct {
	operands  []engine.Operand
	plan      engine.Plan
	all       engine.Buffer // the whole memory
	workspace engine.Buffer
}

const (
	guardLen = 64         // float32
	sentinel = 0x7fc5a5a5 // a quiet NaN with a payload
)

func newRig(c testCase, workspace int) *rig {
	r := &rig{operands: c.call.Operands()}
	last := engine.None
	for _, o := range r.operands {
		last = max(last, o.Buffer)
	}
	r.plan = engine.Plan{Len: guardLen, Spans: make([]engine.Span, last+1, last+3), Calls: []engine.Call{c.call}, Workspace: []engine.Buffer{engine.None}}
	place := func(n int) engine.Span {
		s := engine.Span{Offset: r.plan.Len, Len: n}
		r.plan.Len = (s.Offset + n + guardLen + 15) / 16 * 16
		return s
	}
	for _, o := range r.operands {
		if r.plan.Spans[o.Buffer].Len == 0 {
			r.plan.Spans[o.Buffer] = place(o.Len)
		}
	}
	if workspace > 0 {
		r.plan.Spans = append(r.plan.Spans, place(workspace))
		r.workspace = engine.Buffer(len(r.plan.Spans) - 1)
		r.plan.Workspace[0] = r.workspace
	}
	r.plan.Spans = append(r.plan.Spans, engine.Span{Len: r.plan.Len})
	r.all = engine.Buffer(len(r.plan.Spans) - 1)
	if f, ok := c.call.(engine.ConvForward); ok && c.constant {
		r.plan.Constant = []engine.Buffer{f.W}
	}
	return r
}

// image is the memory before the call.
func (r *rig) image(m Memory) []float32 {
	image := make([]float32, r.plan.Len)
	for i := range image {
		image[i] = math.Float32frombits(sentinel)
	}
	for _, o := range r.operands {
		if o.Read {
			for i, v := range m[o.Buffer] {
				r.part(image, o)[i] = float32(v)
			}
		}
	}
	return image
}

// run returns the memory after the call.
func (r *rig) run(b engine.Backend, image []float32) (after []float32, err error) {
	e, err := b.Prepare(&r.plan)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.Write(r.all, image); err != nil {
		return nil, err
	}
	if err := e.Run(0, 1); err != nil {
		return nil, err
	}
	after = make([]float32, len(image))
	return after, e.Read(after, r.all)
}

func (r *rig) part(image []float32, o engine.Operand) []float32 {
	s := r.plan.Span(o.Buffer)
	return image[s.Offset:][:o.Len]
}

func (r *rig) within(i int, b engine.Buffer) bool {
	s := r.plan.Span(b)
	return i >= s.Offset && i < s.Offset+s.Len
}

func (r *rig) scratch(i int) bool { return r.within(i, r.workspace) }

func (r *rig) writable(i int) bool {
	for _, o := range r.operands {
		if o.Write && r.within(i, o.Buffer) {
			return true
		}
	}
	return r.scratch(i)
}

// describe names the place in memory.
func (r *rig) describe(i int) string {
	name, distance := "the start of memory", i
	for _, o := range r.operands {
		s := r.plan.Span(o.Buffer)
		if r.within(i, o.Buffer) {
			return fmt.Sprintf("%s[%d] of %d", o.Name, i-s.Offset, o.Len)
		}
		if d := i - s.Offset - s.Len; d >= 0 && d < distance {
			name, distance = "the end of "+o.Name, d
		}
	}
	return fmt.Sprintf("%d elements after %s", distance, name)
}
