package solve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Unknown is the status of a joint answer whose limit came before any
// configuration within all budgets was found; its Bound holds nevertheless.
const Unknown Status = "unknown"

// JointSolution is the answer to several budgets at once: that of latency,
// then one for each of Problem.Costs, in their order.
type JointSolution struct {
	Status    Status     `json:"status"`
	Budgets   []int64    `json:"budgets"`
	Objective int64      `json:"objective"`
	Costs     []int64    `json:"costs"` // of the configuration; the first is its latency
	Bound     int64      `json:"bound"` // Lagrangian: no configuration within all budgets keeps more
	Gap       float64    `json:"gap"`   // (Bound − Objective) / |Objective|; 0 where the proof closed it
	Seconds   float64    `json:"seconds"`
	Options   []int      `json:"options"` // one per group
	BlocksOn  []bool     `json:"blocks"`
	Labels    int        `json:"labels"` // made in the last label pass
	Alone     []Solution `json:"alone"`  // what each budget alone allows: one network for all costs the difference
}

// Joint returns the configuration with the most importance that is within
// every budget: one network for several devices, or for latency and size.
// Among equals it has the least latency, then the least of each further cost.
// If a limit ends the proof, the best found comes back with its bound and gap.
func Joint(ctx context.Context, p *Problem, budgets []int64, opts Options) (JointSolution, error) {
	began := time.Now()
	if err := p.Validate(); err != nil {
		return JointSolution{}, fmt.Errorf("problem %q: %w", p.Name, err)
	}
	if len(budgets) != 1+len(p.Costs) {
		return JointSolution{}, fmt.Errorf("problem %q: %d budgets for %d costs: want latency's, then one for each further cost",
			p.Name, len(budgets), 1+len(p.Costs))
	}
	answer := JointSolution{Status: Infeasible, Budgets: slices.Clone(budgets)}
	reachable := true
	for i, budget := range budgets {
		alone, err := Optimum(ctx, p.alone(i), budget, opts)
		if err != nil {
			return JointSolution{}, err
		}
		answer.Alone = append(answer.Alone, alone)
		reachable = reachable && alone.Status != Infeasible
	}
	if reachable {
		pl, err := newPlan(p)
		if err != nil {
			return JointSolution{}, err
		}
		if err := newJoint(ctx, wholeTree(pl), budgets, opts).answer(&answer); err != nil {
			return JointSolution{}, err
		}
	}
	answer.Seconds = time.Since(began).Seconds()
	return answer, nil
}

// costs is one value per cost, latency first; zero where the problem has fewer.
type costs [maxCosts]int64

func (c costs) plus(d costs) costs {
	for i := range c {
		c[i] += d[i]
	}
	return c
}

func (c costs) minus(d costs) costs {
	for i := range c {
		c[i] -= d[i]
	}
	return c
}

func (c costs) within(budget costs) bool {
	for i := range c {
		if c[i] > budget[i] {
			return false
		}
	}
	return true
}

// prices has one multiplier p[i]/q for each cost. The score of a configuration
// is q·importance − Σ p[i]·cost[i].
type prices struct {
	p costs
	q int64
}

func (m prices) of(c costs) int64 {
	sum := int64(0)
	for i := range c {
		sum += m.p[i] * c[i]
	}
	return sum
}

// upAt is up at several prices. It leaves each leaf's latency column as it is.
func (t *tree) upAt(m prices) int64 {
	for i := range t.nodes {
		if n := &t.nodes[i]; n.a < 0 {
			for e := range n.val {
				n.val[e] = m.q*n.imp[e] - m.of(n.costs(e))
			}
		}
	}
	return t.combine()
}

// costs returns what an entry of a leaf costs.
func (n *node) costs(e int) costs {
	c := costs{n.lat[e]}
	for i, table := range n.more {
		c[i+1] = table[e]
	}
	return c
}

// joint is the search for an answer within several budgets.
type joint struct {
	ctx      context.Context
	problem  *Problem
	opts     Options
	whole    *tree
	constant costs
	budget   costs // less the constants
	reach    costs // the most that any part of a configuration costs
	worth    int64 // the largest magnitude of an importance

	found      bool
	importance int64 // of the best configuration so far
	at         costs
	choice     choice
	bound      int64
}

func newJoint(ctx context.Context, t *tree, budgets []int64, opts Options) *joint {
	j := &joint{ctx: ctx, problem: t.plan.problem, opts: opts, whole: t, bound: math.MaxInt64}
	j.constant[0] = j.problem.Constant
	for i, c := range j.problem.Costs {
		j.constant[i+1] = c.Constant
	}
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.a >= 0 {
			continue
		}
		var most costs
		worth := int64(0)
		for e := range n.imp {
			for k, v := range n.costs(e) {
				most[k] = max(most[k], v)
			}
			worth = max(worth, n.imp[e], -n.imp[e])
		}
		j.reach = j.reach.plus(most)
		j.worth += worth
	}
	for i, budget := range budgets {
		j.budget[i] = min(budget-j.constant[i], j.reach[i])
	}
	return j
}

// offer takes a configuration if it is within the budgets and beats the best so far.
func (j *joint) offer(importance int64, at costs, c choice) {
	if !at.within(j.budget) {
		return
	}
	better := importance > j.importance || importance == j.importance && slices.Compare(at[:], j.at[:]) < 0
	if !j.found || better {
		j.found, j.importance, j.at, j.choice = true, importance, at, c
	}
}

// answer proves as much as the limits allow and fills in what was found.
func (j *joint) answer(a *JointSolution) error {
	m, top, err := j.dual()
	if err != nil {
		return err
	}
	a.Status, a.Labels = j.prove(m, top)
	a.Bound = j.bound
	if !j.found {
		return nil
	}
	a.Options, a.BlocksOn = j.choice.options, j.choice.blocks
	if a.Objective, _, err = j.problem.Evaluate(a.Options, a.BlocksOn); err != nil {
		return fmt.Errorf("problem %q: the answer is no configuration: %w", j.problem.Name, err)
	}
	if a.Costs, err = j.problem.CostsOf(a.Options, a.BlocksOn); err != nil {
		return err
	}
	total := j.at.plus(j.constant)
	if a.Objective != j.importance || !slices.Equal(a.Costs, total[:len(a.Costs)]) {
		return errors.New("the answer does not evaluate to what was found: a bug in the solver, please report it")
	}
	if a.Status == Feasible {
		a.Gap = float64(a.Bound-a.Objective) / float64(max(a.Objective, -a.Objective, 1))
	}
	return nil
}

// prove makes label passes with a growing gap below the top score until
// nothing within the budgets that is as good as the best found can hide below it.
func (j *joint) prove(m prices, top int64) (Status, int) {
	ls := jointLabels{prices: m, budget: j.budget, limit: j.opts.maxLabels() / 2}
	// A configuration within the budgets scores at least q·importance − floor.
	floor := m.of(j.budget)
	missing := func() int64 {
		least := -j.worth
		if j.found {
			least = j.importance
		}
		return max(0, top-(m.q*least-floor))
	}
	need := missing()
	gap := need / 50
	if !j.found {
		gap = min(gap, m.q*(1+max(j.bound, -j.bound)/5000))
	}
	for ; ; gap = min(need, 4*gap+1) {
		if err := ls.pass(j.ctx, j.whole, top-gap); err != nil {
			if j.found {
				return Feasible, len(ls.kept)
			}
			return Unknown, len(ls.kept)
		}
		if l, ok := ls.most(); ok {
			j.offer((l.score+m.of(l.costs))/m.q, l.costs, ls.trace(l))
		}
		j.opts.tell(Progress{Objective: j.importance, Bound: j.bound, Labels: len(ls.kept)})
		if need = missing(); need <= gap {
			if !j.found {
				return Infeasible, len(ls.kept)
			}
			j.bound = j.importance
			return Optimal, len(ls.kept)
		}
	}
}
