package solve

import (
	"context"
	"fmt"
	"slices"
)

// Front returns the whole exact trade-off: by rising latency, every point
// that no configuration beats in both latency and importance. The
// configuration of a point is Optimum with the point's latency as budget.
//
// With opts.Epsilon > 0 some points may be left out, but only such that the
// point before keeps at least 1/(1+Epsilon) of their importance.
//
// The front has no partial answer: when a limit ends it, the error says so.
func Front(ctx context.Context, p *Problem, opts Options) ([]Point, error) {
	s, err := newSolver(p, opts)
	if err != nil {
		return nil, err
	}
	var ends [2]Point
	for i, budget := range []int64{s.fastestAt.Latency, s.reach.latency} {
		end, err := s.optimum(ctx, budget+p.Constant)
		if err != nil {
			return nil, err
		}
		if end.Status != Optimal {
			return nil, frontError(ctx)
		}
		ends[i] = Point{end.Latency - p.Constant, end.Objective}
	}
	f := fronter{solver: s, ctx: ctx}
	f.points = []Point{ends[0]}
	if ends[1] != ends[0] {
		if err := f.window(s.whole, ends[0], ends[1]); err != nil {
			return nil, err
		}
		f.points = append(f.points, ends[1])
	}
	for i := range f.points {
		f.points[i].Latency += p.Constant
	}
	return f.points, nil
}

func frontError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("front not finished: %w", err)
	}
	return fmt.Errorf("front not finished: %w: raise it, or ask for an approximate front", tooManyLabels{})
}

type fronter struct {
	*solver
	ctx    context.Context
	labels labels // scratch of the last pass
	points []Point
}

// window appends the points strictly between a and b, two points of the
// front. It splits at the configuration farthest beyond their chord, until
// the chord is an edge of the upper hull. On each side only options that reach
// that side's worst score can lie on the front, so trees shrink going down.
func (f *fronter) window(t *tree, a, b Point) error {
	if f.ctx.Err() != nil {
		return frontError(f.ctx)
	}
	if b.Latency-a.Latency < 2 || b.Importance <= f.equal(a, b)+1 {
		return nil
	}
	at := bounded{multiplier: f.reach.slope(a, b)}
	at.top = t.up(at.multiplier)
	mid, _ := t.best()
	if at.top <= max(at.score(a), at.score(b)) || !between(a, mid, b) {
		return f.edge(t, at, a, b)
	}
	left := t.filter(at.score(Point{mid.Latency, a.Importance}))
	right := t.filter(at.score(Point{b.Latency, mid.Importance}))
	if err := f.window(left, a, mid); err != nil {
		return err
	}
	f.points = append(f.points, mid)
	return f.window(right, mid, b)
}

// edge appends the points below an edge of the hull, from label passes with a
// growing gap below the top score until nothing can hide under the stair.
func (f *fronter) edge(t *tree, at bounded, a, b Point) error {
	ls := &f.labels
	ls.multiplier, ls.budget, ls.limit = at.multiplier, b.Latency-1, f.opts.maxLabels()
	need := f.hidden(at, []Point{a, b})
	for gap := need / 50; ; gap = min(need, 2*gap+1) {
		if err := ls.pass(f.ctx, t, at.top-gap); err != nil {
			return frontError(f.ctx)
		}
		stair := append(ls.points(a, b), b)
		if need = f.hidden(at, stair); need <= gap {
			f.points = append(f.points, stair[1:len(stair)-1]...)
			return nil
		}
	}
}

// hidden returns how far below the top the score of a point may lie that the
// stair misses: one above a step and faster than the next step.
func (f *fronter) hidden(at bounded, stair []Point) int64 {
	need := int64(0)
	for i, step := range stair[1:] {
		if from := f.equal(stair[i], step) + 1; step.Latency-stair[i].Latency > 1 && step.Importance > from {
			need = max(need, at.top-at.score(Point{step.Latency - 1, from}))
		}
	}
	return need
}

// equal returns the largest importance that counts as no more than a's, up to b's.
func (f *fronter) equal(a, b Point) int64 {
	more := int64(min(f.opts.Epsilon*float64(a.Importance), float64(b.Importance-a.Importance)))
	return a.Importance + max(0, more)
}

// points returns a and, by rising latency, the root's labels strictly between a and b.
func (ls *labels) points(a, b Point) []Point {
	found := []Point{a}
	for _, l := range ls.list(len(ls.nodes)-1, 0) {
		pt := Point{l.latency, (l.score + ls.p*l.latency) / ls.q}
		if pt.Latency > a.Latency && pt.Importance > a.Importance && pt.Importance < b.Importance {
			found = append(found, pt)
		}
	}
	slices.SortFunc(found, func(x, y Point) int { return int(x.Latency - y.Latency) })
	return found
}
