package engine

import (
	"cmp"
	"fmt"
	"slices"
)

// align is the granularity of spans in float32: 64 bytes, a cache line and an
// AVX-512 vector.
const align = 16

// planner hands out buffers while calls are listed, then lays them in memory.
// A fixed buffer keeps its place for the whole program. Any other lives from
// the first call that names it to the last, and shares memory with buffers
// whose lives do not overlap its own.
type planner struct {
	spans    []Span // offsets valid only for fixed buffers until layout
	fixed    []bool
	fixedLen int
	calls    []Call
	nodes    [][]int // the graph nodes each call computes, its head first
}

func newPlanner() *planner {
	return &planner{spans: make([]Span, 1), fixed: make([]bool, 1)}
}

// transient makes a buffer of n float32 that lives as long as calls use it.
func (p *planner) transient(n int) Buffer { return p.moving(Span{Len: n}) }

// permanent makes a buffer of n float32 with a place of its own.
func (p *planner) permanent(n int) Buffer { return p.fix(Span{Len: n}) }

func (p *planner) moving(s Span) Buffer {
	p.spans = append(p.spans, s)
	p.fixed = append(p.fixed, false)
	return Buffer(len(p.spans) - 1)
}

func (p *planner) fix(s Span) Buffer {
	s.Offset = p.fixedLen
	p.spans = append(p.spans, s)
	p.fixed = append(p.fixed, true)
	p.fixedLen += roundUp(s.Words())
	return Buffer(len(p.spans) - 1)
}

// region makes permanent buffers of the given lengths side by side, and one
// buffer over all of them, None when there are none.
func (p *planner) region(lens []int) (all Buffer, each []Buffer) {
	start := p.fixedLen
	for _, n := range lens {
		each = append(each, p.permanent(n))
	}
	if p.fixedLen == start {
		return None, nil
	}
	p.spans = append(p.spans, Span{Offset: start, Len: p.fixedLen - start})
	p.fixed = append(p.fixed, true)
	return Buffer(len(p.spans) - 1), each
}

func (p *planner) call(c Call, nodes ...int) {
	p.calls = append(p.calls, c)
	p.nodes = append(p.nodes, nodes)
}

// join puts one call in the place of call i and of one before it.
func (p *planner) join(before, i int, both Call) {
	p.calls[i], p.nodes[i] = both, slices.Concat(p.nodes[before], p.nodes[i])
	p.calls, p.nodes = slices.Delete(p.calls, before, before+1), slices.Delete(p.nodes, before, before+1)
}

// layout asks the backend for each call's scratch memory and places everything: what
// is fixed first, then what only slices see, in lanes, and the rest in memory.
func (p *planner) layout(b Backend, batch int, stages []Stage) *Plan {
	plan := &Plan{Fixed: p.fixedLen, Calls: p.calls, Workspace: make([]Buffer, len(p.calls)), Batch: batch, Stages: stages}
	for i := range p.calls {
		if n, lane := plan.Scratch(b, i); n > 0 {
			plan.Workspace[i] = p.moving(Span{Len: n, Lane: lane})
		}
	}

	lives := make([]life, len(p.spans))
	for i := range lives {
		lives[i] = life{Buffer(i), len(p.calls), -1}
	}
	use := func(b Buffer, call int) {
		lives[b].first = min(lives[b].first, call)
		lives[b].last = max(lives[b].last, call)
	}
	for i, c := range p.calls {
		for _, o := range c.Operands() {
			if o.Len > p.spans[o.Buffer].Len {
				panic(fmt.Sprintf("engine: %v: operand %s needs %d float32, its buffer has %d", c, o.Name, o.Len, p.spans[o.Buffer].Len))
			}
			use(o.Buffer, i)
		}
		use(plan.Workspace[i], i)
	}
	lives = slices.DeleteFunc(lives, func(l life) bool { return l.buffer == None || p.fixed[l.buffer] || l.last < 0 })
	for i, l := range lives {
		if p.spans[l.buffer].Lane {
			continue
		}
		s := plan.Stage(l.first)
		if s.Images < batch && l.last < s.To {
			p.spans[l.buffer].Len = p.spans[l.buffer].Len / batch * s.Images
			p.spans[l.buffer].Lane = true
			continue
		}
		// A slice may be at a stage's last call while another is at its first.
		if s.Images < batch {
			lives[i].first = plan.begins(l.first)
		}
		if s := plan.Stage(l.last); s.Images < batch {
			lives[i].last = s.To - 1
		}
	}
	slices.SortStableFunc(lives, func(a, b life) int {
		return cmp.Compare(p.spans[b.buffer].Words(), p.spans[a.buffer].Words())
	})
	inLane := func(l life) bool { return p.spans[l.buffer].Lane }
	plan.LaneLen = p.place(slices.DeleteFunc(slices.Clone(lives), func(l life) bool { return !inLane(l) }), 0)
	plan.Len = p.place(slices.DeleteFunc(lives, inLane), p.fixedLen)
	plan.Spans = p.spans
	if stages != nil {
		plan.Lanes = b.Slicer().Lanes()
	}
	return plan
}

// A life is a buffer from the first call that names it to the last.
type life struct {
	buffer      Buffer
	first, last int
}

// place lays buffers in a memory from an offset on, each at the lowest one that is free
// during its whole life; it says where they end.
func (p *planner) place(lives []life, from int) (end int) {
	end = from
	var placed []life // by offset
	for _, l := range lives {
		n := roundUp(p.spans[l.buffer].Words())
		offset := from
		for _, q := range placed {
			if q.last < l.first || l.last < q.first {
				continue
			}
			s := p.spans[q.buffer]
			if offset+n <= s.Offset {
				break
			}
			offset = max(offset, s.Offset+roundUp(s.Words()))
		}
		p.spans[l.buffer].Offset = offset
		end = max(end, offset+n)
		at, _ := slices.BinarySearchFunc(placed, offset, func(q life, offset int) int {
			return cmp.Compare(p.spans[q.buffer].Offset, offset)
		})
		placed = slices.Insert(placed, at, l)
	}
	return end
}

func roundUp(n int) int { return (n + align - 1) / align * align }
