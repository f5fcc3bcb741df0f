// Package solve answers the pruning MINLP exactly: the configuration that
// keeps the most importance within a latency budget, or the whole trade-off
// between the two.
//
// Layers' tables over (own option, previous group's option) form a graph of small
// treewidth, so groups are eliminated one at a time along a tree (plan.go, tree.go).
// A scalar pass over it prices latency with a multiplier and bounds every
// partial choice (passes.go); a label pass carries the trade-off curves of
// partial choices, less whatever the bound rules out (labels.go). An answer is
// either proven or comes with its bound and gap.
package solve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Options limits a solve. The zero value sets no limits; a time limit is the
// context's deadline.
type Options struct {
	MaxLabels int     // labels kept in memory, 16 bytes each (Joint: half as many, of 32); 0 is 100 million
	Epsilon   float64 // of Front: how much importance, relatively, may go unseen; 0 is exact

	// Progress, if set, is told between passes how far the search has come.
	// It is called by the solving goroutine and should return soon.
	Progress func(Progress)
}

// Progress is a step of a search: of one budget's (or several's) proof, the
// best so far and the bound; of a front, the points found in order of latency.
type Progress struct {
	Objective int64 // of the best configuration so far, or of the front's last point
	Bound     int64 // nothing keeps more
	Labels    int   // made in the last label pass
	Points    int   // of the front so far
	Latency   int64 // up to which the front is known
}

func (o Options) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

func (o Options) maxLabels() int {
	if o.MaxLabels > 0 {
		return o.MaxLabels
	}
	return 100_000_000
}

// Status says what an answer is worth.
type Status string

const (
	Optimal    Status = "optimal"    // proven: no configuration within the budget keeps more, none as good is faster
	Feasible   Status = "feasible"   // within the budget; a limit ended the proof, see Bound and Gap
	Infeasible Status = "infeasible" // nothing fits the budget: MinLatency is the least there is
)

// Solution is the answer to one budget, in the problem's units.
type Solution struct {
	Status     Status  `json:"status"`
	Budget     int64   `json:"budget"`
	Objective  int64   `json:"objective"`
	Latency    int64   `json:"latency"`
	Bound      int64   `json:"bound"` // Lagrangian: no configuration within the budget keeps more
	Gap        float64 `json:"gap"`   // (Bound − Objective) / |Objective|; 0 where the proof closed it
	Seconds    float64 `json:"seconds"`
	Options    []int   `json:"options"` // one per group
	BlocksOn   []bool  `json:"blocks"`
	Labels     int     `json:"labels"`      // made in the last label pass
	MinLatency int64   `json:"min_latency"` // of any configuration
}

// Optimum returns the configuration with the most importance whose latency is
// at most budget, and among those the one with the least latency. An
// unreachable budget is an answer (status infeasible), not an error. If the context ends
// first, the best found so far comes back with status feasible; a context that
// was cancelled before is an error.
func Optimum(ctx context.Context, p *Problem, budget int64, opts Options) (Solution, error) {
	s, err := New(p, opts)
	if err != nil {
		return Solution{}, err
	}
	return s.Optimum(ctx, budget)
}

// Solver is a problem made ready to be asked for one budget after another. It
// serves one caller at a time; the problem's tables must not change meanwhile.
type Solver struct {
	problem *Problem
	opts    Options
	whole   *tree
	reach   ranges

	coarseWork int    // see narrow
	fastest    choice // a configuration of least latency
	fastestAt  Point
}

// New validates a problem and plans how to solve it.
func New(p *Problem, opts Options) (*Solver, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("problem %q: %w", p.Name, err)
	}
	p = p.alone(0)
	pl, err := newPlan(p)
	if err != nil {
		return nil, err
	}
	s := &Solver{problem: p, opts: opts, whole: wholeTree(pl), coarseWork: coarseWork}
	for i := range s.whole.nodes {
		if n := &s.whole.nodes[i]; n.a < 0 {
			lat, imp := int64(0), int64(0)
			for e := range n.lat {
				lat = max(lat, n.lat[e])
				imp = max(imp, n.imp[e], -n.imp[e])
			}
			s.reach.latency += lat
			s.reach.importance += imp
		}
	}
	s.whole.up(multiplier{1, 0})
	s.fastestAt, s.fastest = s.whole.best()
	return s, nil
}

// Optimum is the function of that name, without planning anew.
func (s *Solver) Optimum(ctx context.Context, budget int64) (Solution, error) {
	began := time.Now()
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return Solution{}, err
	}
	answer := Solution{Budget: budget, MinLatency: s.fastestAt.Latency + s.problem.Constant}
	if budget < answer.MinLatency {
		answer.Status = Infeasible
		answer.Seconds = time.Since(began).Seconds()
		return answer, nil
	}
	q := query{Solver: s, ctx: ctx, budget: min(budget-s.problem.Constant, s.reach.latency)}
	q.offer(s.fastestAt, s.fastest)
	t := q.narrow(s.whole)
	b := q.dual(t)
	answer.Status, answer.Labels = q.prove(t, b)
	answer.Bound = q.bound
	answer.Options, answer.BlocksOn = q.choice.options, q.choice.blocks
	var err error
	answer.Objective, answer.Latency, err = s.problem.Evaluate(answer.Options, answer.BlocksOn)
	if err != nil {
		return Solution{}, fmt.Errorf("problem %q: the answer is no configuration: %w", s.problem.Name, err)
	}
	if answer.Objective != q.at.Importance || answer.Latency != q.at.Latency+s.problem.Constant || answer.Latency > budget {
		return Solution{}, errors.New("the answer does not evaluate to what was found: a bug in the solver, please report it")
	}
	if answer.Status == Feasible {
		answer.Gap = float64(answer.Bound-answer.Objective) / float64(max(answer.Objective, -answer.Objective, 1))
	}
	answer.Seconds = time.Since(began).Seconds()
	return answer, nil
}

// query is the search for one budget's answer.
type query struct {
	*Solver
	ctx    context.Context
	budget int64 // less the problem's constant
	at     Point // the best configuration so far
	choice choice
	bound  int64
}

// offer takes a configuration within the budget that beats the best so far.
func (q *query) offer(at Point, c choice) {
	better := at.Importance > q.at.Importance || at.Importance == q.at.Importance && at.Latency < q.at.Latency
	if q.choice.options == nil || better {
		q.at, q.choice = at, c
	}
}

// bounded is a multiplier with the best score at it.
type bounded struct {
	multiplier
	top int64
}

// bound returns what no configuration within the budget can exceed in importance.
func (b bounded) bound(budget int64) int64 { return (b.top + b.p*budget) / b.q }

// slack returns how far below the top the score of a configuration within the
// budget may lie that beats the given one: in importance, or at equal
// importance in latency.
func (b bounded) slack(budget int64, at Point) int64 {
	more := b.score(Point{budget, at.Importance + 1})
	faster := b.score(Point{at.Latency - 1, at.Importance})
	return max(0, b.top-min(more, faster))
}

// coarseWork is the size of a scalar pass above which a coarser problem pays.
const coarseWork = 100_000

// narrow solves the problem with every second option first, if it is large.
// The coarse answer's value and multiplier then rule most fine options out
// after one pass over the whole tree. No optimum is lost.
func (q *query) narrow(t *tree) *tree {
	q.bound = math.MaxInt64
	if t.work < q.coarseWork {
		return t
	}
	coarse := newTree(t.plan, everySecond(t.keep, q.fastest.options))
	if coarse.work > t.work/2 {
		return t
	}
	coarse = q.narrow(coarse)
	b := q.dual(coarse)
	q.prove(coarse, b)
	b.top = t.up(b.multiplier)
	q.bound = b.bound(q.budget)
	return t.filter(b.score(Point{q.budget, q.at.Importance}))
}

// everySecond keeps every second option of each group, the last one and that
// of the given configuration among them.
func everySecond(keep [][]int32, and []int) [][]int32 {
	half := make([][]int32, len(keep))
	for g, options := range keep {
		for i, o := range options {
			if (len(options)-1-i)%2 == 0 || int(o) == and[g] {
				half[g] = append(half[g], o)
			}
		}
	}
	return half
}

// dual finds the multiplier with the least bound: the slope of the edge of
// the upper hull of all configurations above the budget. It closes in on that edge from
// the fastest configuration and the one of most importance, each time
// replacing an end by the configuration that lies farthest beyond their chord.
func (q *query) dual(t *tree) bounded {
	left := q.fastestAt
	b := bounded{multiplier{0, 1}, t.up(multiplier{0, 1})}
	right, c := t.best()
	q.bound = min(q.bound, b.top)
	if right.Latency <= q.budget {
		q.offer(right, c)
		return b
	}
	for q.ctx.Err() == nil {
		b.multiplier = q.reach.slope(left, right)
		b.top = t.up(b.multiplier)
		q.bound = min(q.bound, b.bound(q.budget))
		mid, c := t.best()
		if mid.Latency <= q.budget {
			q.offer(mid, c)
		}
		if b.top <= max(b.score(left), b.score(right)) || !between(left, mid, right) {
			break
		}
		if mid.Latency <= q.budget {
			left = mid
		} else {
			right = mid
		}
	}
	return b
}

// between reports whether m shrinks the box that a and b span.
func between(a, m, b Point) bool {
	return m != a && m != b &&
		a.Latency <= m.Latency && m.Latency <= b.Latency &&
		a.Importance <= m.Importance && m.Importance <= b.Importance
}

// prove makes label passes with a growing gap below the top score until
// nothing better than the best found can hide below it.
func (q *query) prove(t *tree, b bounded) (Status, int) {
	ls := labels{multiplier: b.multiplier, budget: q.budget, limit: q.opts.maxLabels()}
	need := b.slack(q.budget, q.at)
	for gap := need / 50; ; gap = min(need, 4*gap+1) {
		if err := ls.pass(q.ctx, t, b.top-gap); err != nil {
			return Feasible, ls.shelf.kept
		}
		if l, ok := ls.most(); ok {
			q.offer(Point{l.latency, (l.score + b.p*l.latency) / b.q}, ls.trace(l))
		}
		q.opts.tell(Progress{Objective: q.at.Importance, Bound: q.bound, Labels: ls.shelf.kept})
		if need = b.slack(q.budget, q.at); need <= gap {
			q.bound = q.at.Importance
			return Optimal, ls.shelf.kept
		}
	}
}
