package enginetest

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
)

// reference is a backend made of the reference, with a fault: what it does to
// the memory after a call, the n-th of all.
type reference struct {
	fault func(p *engine.Plan, memory []float32, n int)
	runs  *int
}

func (reference) Name() string               { return "reference" }
func (reference) Info() engine.Info          { return engine.Info{Device: "reference"} }
func (reference) Supports(engine.Call) error { return nil }
func (reference) Workspace(engine.Call) int  { return 0 }
func (reference) Slicer() engine.Slicer      { return nil }
func (b reference) Prepare(p *engine.Plan) (engine.Executor, error) {
	return &executor{b, p, make([]float32, p.Len)}, nil
}

type executor struct {
	reference
	plan   *engine.Plan
	memory []float32
}

func (e *executor) span(b engine.Buffer) []float32 {
	return e.memory[e.plan.Span(b).Offset:][:e.plan.Span(b).Len]
}

func (e *executor) Write(dst engine.Buffer, src []float32) error { copy(e.span(dst), src); return nil }
func (e *executor) Read(dst []float32, src engine.Buffer) error  { copy(dst, e.span(src)); return nil }
func (e *executor) Time([]int64) error                           { return nil }
func (e *executor) Close() error                                 { return nil }
func (e *executor) Start(from, to int) error                     { return e.Run(from, to) }

func (e *executor) Run(int, int) error {
	call, m := e.plan.Calls[0], Memory{}
	for _, o := range call.Operands() {
		for _, v := range e.span(o.Buffer)[:o.Len] {
			m[o.Buffer] = append(m[o.Buffer], float64(v))
		}
		m[o.Buffer] = m[o.Buffer][:o.Len]
	}
	Reference(call, m)
	for _, o := range call.Operands() {
		for i, v := range m[o.Buffer] {
			if o.Write {
				e.span(o.Buffer)[i] = float32(v)
			}
		}
	}
	*e.runs++
	e.fault(e.plan, e.memory, *e.runs)
	return nil
}

func TestReferencePassesItsOwnSuite(t *testing.T) {
	Run(t, reference{func(*engine.Plan, []float32, int) {}, new(int)})
}

func TestFaultsAreFound(t *testing.T) {
	const y, x = 1, 2
	c := testCase{call: engine.ConvForward{Conv: square(1, 5, 5, 3, 7, 3, 1, 1), Y: y, X: x, W: 3}}
	at := func(p *engine.Plan, b engine.Buffer, i int) int { return p.Span(b).Offset + i }
	for _, test := range []struct {
		name, want string
		fault      func(p *engine.Plan, memory []float32, n int)
	}{
		{"an element left out", "NMSE of y is NaN, allowed 1e-07; farthest off is y[174] of 175", func(p *engine.Plan, m []float32, _ int) { m[at(p, y, 174)] = math.Float32frombits(sentinel) }},
		{"an element wrong", "farthest off is y[3] of 175", func(p *engine.Plan, m []float32, _ int) { m[at(p, y, 3)] += .1 }},
		{"a write past the end", "wrote to 0 elements after the end of y", func(p *engine.Plan, m []float32, _ int) { m[at(p, y, 175)] = 0 }},
		{"a write before the start", "wrote to 63 elements after the start of memory", func(p *engine.Plan, m []float32, _ int) { m[at(p, y, -1)] = 0 }},
		{"an input changed", "wrote to x[5] of 75", func(p *engine.Plan, m []float32, _ int) { m[at(p, x, 5)]++ }},
		{"a second run that differs", "a second run differs at y[4] of 175", func(p *engine.Plan, m []float32, n int) {
			if n == 2 {
				m[at(p, y, 4)] = math.Nextafter32(m[at(p, y, 4)], 100)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.ErrorContains(t, compare(reference{test.fault, new(int)}, c, false, Tolerance), test.want)
		})
	}
}

// hasty is a backend whose sums go on from what they find, where they should begin.
type hasty struct{ engine.Backend }

func (h hasty) Prepare(p *engine.Plan) (engine.Executor, error) {
	for i, c := range p.Calls {
		if d, ok := c.(engine.ConvBackwardData); ok {
			d.Accumulate = true
			p.Calls[i] = d
		}
	}
	return h.Backend.Prepare(p)
}

func TestReadsBeforeWritesAreFound(t *testing.T) {
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	p := programs[0]
	require.NoError(t, p.compare(b))
	require.ErrorContains(t, p.compare(hasty{b}), "is NaN, not")
}

func TestCasesCoverEveryCall(t *testing.T) {
	var kinds []string
	for _, c := range check(cases()) {
		kinds = append(kinds, reflect.TypeOf(c.call).Name())
	}
	slices.Sort(kinds)
	assert.Equal(t, []string{
		"Activate", "ActivateBackward", "Add", "AvgPoolBackward", "AvgPoolForward", "BatchNormAgain", "BatchNormBackward", "BatchNormForward", "BatchNormInfer", "BiasBackward",
		"Clamp", "ClampBackward", "ConvBackwardBatchNorm", "ConvBackwardData", "ConvBackwardFilter", "ConvBatchNorm", "ConvForward", "CopyChannels", "FilterTaylor", "GateBackward", "Importance", "LossScale",
		"MaskFilter", "MaskedConvBackwardData", "MaskedConvBackwardFilter", "MaskedConvForward",
		"MaxPoolBackward", "MaxPoolForward", "Mul", "Record", "SGD", "Scale", "Softmax", "SoftmaxLoss", "Spin",
	}, slices.Compact(kinds))
}
