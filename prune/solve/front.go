package solve

import (
	"context"
	"fmt"
	"slices"
)

// Front is the whole exact trade-off: by rising latency, every point
// that no configuration beats in both latency and importance. The
// configuration of a point is the Optimum with the point's latency as budget.
//
// With Options.Epsilon > 0 some points may be left out, but only such that the
// point before keeps at least 1/(1+Epsilon) of their importance.
//
// The front has no partial answer: when a limit ends it, the error says so.
func (s *Solver) Front(ctx context.Context) ([]Point, error) {
	constant := s.problem.Constant
	var ends [2]Point
	for i, budget := range []int64{s.fastestAt.Latency, s.reach.latency} {
		end, err := s.Optimum(ctx, budget+constant)
		if err != nil {
			return nil, err
		}
		if end.Status != Optimal {
			return nil, frontError(ctx)
		}
		ends[i] = Point{end.Latency - constant, end.Objective}
	}
	f := fronter{Solver: s, ctx: ctx}
	f.points = []Point{ends[0]}
	if ends[1] != ends[0] {
		if err := f.window(s.whole, ends[0], ends[1]); err != nil {
			return nil, err
		}
		f.points = append(f.points, ends[1])
	}
	for i := range f.points {
		f.points[i].Latency += constant
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
	*Solver
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
	// One tree at a time: the right one, if any, is made when the left one is done with.
	worstLeft, worstRight := at.score(Point{mid.Latency, a.Importance}), at.score(Point{b.Latency, mid.Importance})
	t.down(min(worstLeft, worstRight))
	left, right := t.inPlay(worstLeft), t.inPlay(worstRight)
	if err := f.window(t.narrowed(left), a, mid); err != nil {
		return err
	}
	f.points = append(f.points, mid)
	f.opts.tell(Progress{
		Objective: mid.Importance, Bound: mid.Importance, Labels: f.labels.shelf.kept,
		Points: len(f.points), Latency: mid.Latency + f.problem.Constant,
	})
	return f.window(newTree(f.whole.plan, right), mid, b)
}

// edge appends the points below an edge of the hull, from label passes with a
// growing gap below the top score until nothing can hide under the stair.
// Where nothing can hide any more, at either end, the stair is settled.
func (f *fronter) edge(t *tree, at bounded, a, b Point) error {
	ls := &f.labels
	ls.multiplier, ls.limit = at.multiplier, f.opts.maxLabels()
	var settled []Point // from b on, without the edge's end
	need := f.hidden(at, a, b)
	for gap := need / 50; ; gap = min(need, 2*gap+1) {
		ls.budget = b.Latency - 1
		if err := ls.pass(f.ctx, t, at.top-gap); err != nil {
			return frontError(f.ctx)
		}
		stair := append(ls.points(a, b), b)
		first, last := len(stair)-1, 0 // steps around the cells in question
		need = 0
		for i := range len(stair) - 1 {
			if h := f.hidden(at, stair[i], stair[i+1]); h > gap {
				first, last = min(first, i), i+1
				need = max(need, h)
			}
		}
		f.points = append(f.points, stair[1:min(first+1, len(stair)-1)]...)
		if need == 0 {
			f.points = append(f.points, settled...)
			return nil
		}
		settled = slices.Concat(stair[last:len(stair)-1], settled)
		a, b = stair[first], stair[last]
	}
}

// hidden returns how far below the top the score of a point may lie that is
// missing between two steps of the stair: above the one and faster than the other.
func (f *fronter) hidden(at bounded, step, next Point) int64 {
	from := f.equal(step, next) + 1
	if next.Latency-step.Latency < 2 || next.Importance <= from {
		return 0
	}
	return at.top - at.score(Point{next.Latency - 1, from})
}

// equal returns the largest importance that counts as no more than a's, up to b's.
func (f *fronter) equal(a, b Point) int64 {
	more := int64(min(f.opts.Epsilon*float64(a.Importance), float64(b.Importance-a.Importance)))
	return a.Importance + max(0, more)
}

// points returns a and, by rising latency, the root's labels strictly between a and b.
func (ls *labels) points(a, b Point) []Point {
	found := []Point{a}
	for _, l := range ls.lists[len(ls.nodes)-1][0] {
		pt := Point{l.latency, (l.score + ls.p*l.latency) / ls.q}
		if pt.Latency > a.Latency && pt.Importance > a.Importance && pt.Importance < b.Importance {
			found = append(found, pt)
		}
	}
	slices.SortFunc(found, func(x, y Point) int { return int(x.Latency - y.Latency) })
	return found
}
