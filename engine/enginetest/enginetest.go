// Package enginetest checks that a backend computes every call as its doc
// comment says, against plain float64 loops.
package enginetest

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
)

// Tolerance is the normalised mean squared error, Σ (got − want)² / Σ want²,
// that is allowed on random data.
const Tolerance = 1e-7

// Run checks every case as a subtest named after the call. A call the backend
// does not support is skipped, but something must be supported.
func Run(t *testing.T, b engine.Backend) {
	supported := 0
	for _, c := range check(cases()) {
		if b.Supports(c.call) == nil {
			supported++
		}
		t.Run(c.String(), func(t *testing.T) {
			skipUnsupported(t, b, c.call)
			if c.exact {
				compare(t, b, c, true, 0)
			}
			compare(t, b, c, false, Tolerance)
		})
	}
	if supported == 0 {
		t.Errorf("%s supports no call at all", b.Name())
	}
}

// RunIdentical checks that two backends compute the same bits.
func RunIdentical(t *testing.T, a, b engine.Backend) {
	for _, c := range check(cases()) {
		t.Run(c.String(), func(t *testing.T) {
			skipUnsupported(t, a, c.call)
			skipUnsupported(t, b, c.call)
			rig := newRig(c, max(a.Workspace(c.call), b.Workspace(c.call)))
			image := rig.image(data(c, false))
			got, want := rig.run(t, a, image), rig.run(t, b, image)
			for _, o := range c.call.Operands() {
				for i, v := range rig.part(got, o) {
					if want := rig.part(want, o)[i]; math.Float32bits(v) != math.Float32bits(want) {
						t.Fatalf("%s[%d] of %d: %s computes %g, %s computes %g\n%s", o.Name, i, o.Len, a.Name(), v, b.Name(), want, replay(t))
					}
				}
			}
		})
	}
}

func skipUnsupported(t *testing.T, b engine.Backend, c engine.Call) {
	switch err := b.Supports(c); {
	case errors.Is(err, engine.ErrUnsupported):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// compare runs the call twice and holds the first result against the reference
// and the second against the first, bit for bit.
func compare(t *testing.T, b engine.Backend, c testCase, integers bool, tolerance float64) {
	rig := newRig(c, b.Workspace(c.call))
	want := data(c, integers)
	image := rig.image(want)
	got := rig.run(t, b, image)
	Reference(c.call, want)

	for _, o := range c.call.Operands() {
		if !o.Write {
			continue
		}
		part := rig.part(got, o)
		if err := nmse(part, want[o.Buffer]); !(err <= tolerance) {
			i, worst := farthest(part, want[o.Buffer])
			t.Errorf("%s: NMSE %.3g, allowed %.3g; farthest off is %s[%d] of %d: %g, want %g (integers: %v)\n%s",
				o.Name, err, tolerance, o.Name, i, o.Len, part[i], worst, integers, replay(t))
		}
	}
	for i, v := range got {
		if !rig.writable(i) && math.Float32bits(v) != math.Float32bits(image[i]) {
			t.Fatalf("the call wrote to %s\n%s", rig.describe(i), replay(t))
		}
	}
	for i, v := range rig.run(t, b, image) {
		if !rig.scratch(i) && math.Float32bits(v) != math.Float32bits(got[i]) {
			t.Fatalf("a second run differs at %s: %g, then %g\n%s", rig.describe(i), got[i], v, replay(t))
		}
	}
}

func nmse(got []float32, want []float64) float64 {
	var err, norm float64
	for i, v := range got {
		d := float64(v) - want[i]
		err += d * d
		norm += want[i] * want[i]
	}
	if err == 0 {
		return 0
	}
	return err / norm
}

func farthest(got []float32, want []float64) (int, float64) {
	at, most := 0, -1.0
	for i, v := range got {
		if d := math.Abs(float64(v) - want[i]); !(d <= most) {
			at, most = i, d
			if math.IsNaN(d) {
				break
			}
		}
	}
	return at, want[at]
}

func replay(t *testing.T) string {
	parts := strings.Split(t.Name(), "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return fmt.Sprintf("replay: go test -run '%s'", strings.Join(parts, "/"))
}

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
func (r *rig) run(t *testing.T, b engine.Backend, image []float32) []float32 {
	e, err := b.Prepare(&r.plan)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	require.NoError(t, e.Write(r.all, image))
	require.NoError(t, e.Run(0, 1))
	got := make([]float32, len(image))
	require.NoError(t, e.Read(got, r.all))
	return got
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
