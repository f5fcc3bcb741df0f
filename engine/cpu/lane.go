package cpu

import (
	"slices"

	"mdp/engine"
)

const (
	// slicePixels is how many pixels the images of a slice have together, where they have
	// fewer: at 64 to 512 channels of four bytes, what a call reads and writes is within a
	// core's second cache or not far beyond it, and filters are still read for many pixels.
	slicePixels = 28 * 28
	// busy is the share of the workers' time that slices must leave them busy.
	busy = 0.9
)

// Slicer is the backend itself.
func (b *Backend) Slicer() engine.Slicer { return b }

// Slice is how many images of a batch each worker takes at a time through calls that
// read so many pixels of each. The batch as a whole where that would leave workers idle.
func (b *Backend) Slice(batch, pixels int) int {
	for n := min(batch, max(1, slicePixels/pixels)); n >= 1; n-- {
		slices := batch / n
		if rounds := ceil(slices, b.threads); batch%n == 0 && float64(slices) >= busy*float64(rounds*b.threads) {
			return n
		}
	}
	return batch
}

// Lanes are the workers.
func (b *Backend) Lanes() int { return b.threads }

// Lane is one worker.
func (b *Backend) Lane(slices int) engine.Backend { return b.lane(slices) }

func (b *Backend) lane(slices int) *Backend { return &Backend{b.isa, 1, slices} }

// A lane is what a worker takes slices through: ops on memory of its own.
type lane struct {
	memory    []float32
	ops       []slicer // by call, nil where all workers share it
	places    [][]place
	team      *team   // of the worker alone
	latencyNS []int64 // summed over slices, by call
}

// slicer is an op whose activations lie elsewhere for every slice.
type slicer interface {
	op
	bind(y, x, z []float32)
}

// place is where an op finds an activation: for slice i at i·each.
type place struct {
	all  []float32
	len  int
	each int // 0 in the lane's memory
}

func (p place) of(slice int) []float32 { return p.all[slice*p.each:][:p.len:p.len] }

func newLane(b *Backend, e *executor, constant func(engine.Buffer) bool) *lane {
	p := e.plan
	l := &lane{memory: aligned(p.LaneLen), ops: make([]slicer, len(p.Calls)), places: make([][]place, len(p.Calls)), team: newTeam(1), latencyNS: make([]int64, len(p.Calls))}
	memory := func(b engine.Buffer) []float32 {
		if s := p.Span(b); s.Lane {
			return within(l.memory, s)
		}
		return e.buffer(b)
	}
	for i := range p.Calls {
		s := p.Stage(i)
		if s.Images == p.Batch {
			continue
		}
		c := p.Slice(i)
		l.ops[i] = b.lane(p.Batch/s.Images).compile(c, memory, memory(p.Workspace[i]), constant).(slicer)
		for _, o := range c.Operands() {
			if o.Activation {
				to := place{all: memory(o.Buffer), len: o.Len}
				if !p.Span(o.Buffer).Lane {
					to.each = o.Len
				}
				l.places[i] = append(l.places[i], to)
			}
		}
		if !slices.ContainsFunc(l.places[i], func(p place) bool { return p.each > 0 }) {
			l.places[i] = nil // they stay where they are
		}
	}
	return l
}

// run takes a slice through call i.
func (l *lane) run(i, slice int) {
	if at := l.places[i]; at != nil {
		var z []float32
		if len(at) > 2 {
			z = at[2].of(slice)
		}
		l.ops[i].bind(at[0].of(slice), at[1].of(slice), z)
	}
	l.ops[i].run(l.team)
}
