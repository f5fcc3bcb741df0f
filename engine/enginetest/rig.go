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

func newRig(c testCase, storage engine.Storage, workspace int) *rig {
	r := &rig{operands: c.call.Operands()}
	last := engine.None
	for _, o := range r.operands {
		last = max(last, o.Buffer)
	}
	r.plan = engine.Plan{Len: guardLen, Spans: make([]engine.Span, last+1, last+3), Calls: []engine.Call{c.call}, Workspace: []engine.Buffer{engine.None}}
	place := func(n int, storage engine.Storage) engine.Span {
		s := engine.Span{Offset: r.plan.Len, Len: n, Storage: storage}
		r.plan.Len = (s.Offset + s.Words() + guardLen + 15) / 16 * 16
		return s
	}
	for _, o := range r.operands {
		if r.plan.Spans[o.Buffer].Len == 0 {
			of := engine.Float32
			if o.Activation {
				of = storage
			}
			r.plan.Spans[o.Buffer] = place(o.Len, of)
		}
	}
	if workspace > 0 {
		r.plan.Spans = append(r.plan.Spans, place(workspace, engine.Float32))
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
			narrow := make([]float32, len(m[o.Buffer]))
			for i, v := range m[o.Buffer] {
				narrow[i] = float32(v)
			}
			s := r.plan.Span(o.Buffer)
			s.Storage.Encode(image[s.Offset:][:s.Words()], narrow)
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
	values := make([]float32, o.Len)
	s.Storage.Decode(values, image[s.Offset:][:s.Words()])
	return values
}

// round makes of an operand's values those that its storage has.
func (r *rig) round(m Memory, o engine.Operand) {
	s := r.plan.Span(o.Buffer).Storage
	if s == engine.Float32 {
		return
	}
	word, value := make([]float32, 1), make([]float32, 1)
	for i, v := range m[o.Buffer] {
		value[0] = float32(v)
		s.Encode(word, value)
		s.Decode(value, word)
		m[o.Buffer][i] = float64(value[0])
	}
}

func (r *rig) within(i int, b engine.Buffer) bool {
	s := r.plan.Span(b)
	return i >= s.Offset && i < s.Offset+s.Words()
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
			at := i - s.Offset
			if s.Storage != engine.Float32 {
				at *= 2 // the first of the word's
			}
			return fmt.Sprintf("%s[%d] of %d", o.Name, at, o.Len)
		}
		if d := i - s.Offset - s.Words(); d >= 0 && d < distance {
			name, distance = "the end of "+o.Name, d
		}
	}
	return fmt.Sprintf("%d elements after %s", distance, name)
}
