package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdp/prune"
	"mdp/prune/solve"
)

type solveOptions struct {
	*runOptions
	problem   string
	front     bool
	epsilon   float64
	timeLimit time.Duration
	memoryMB  int // of labels
}

// posed is a problem file as the flags want it solved.
type posed struct {
	file    *solve.Problem // as it was read
	problem *solve.Problem // narrowed down
	group   []int          // where the file's groups went
	budgets []int64        // latency's, then one for each further cost
	opts    solve.Options
}

func runSolveFile(ctx context.Context, o *solveOptions) error {
	q, err := o.pose()
	if err != nil {
		return usageError{err}
	}
	tell, done := watch(o.stderr, o.quiet)
	q.opts.Progress = tell
	limited := ctx
	if o.timeLimit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, o.timeLimit)
		defer cancel()
	}
	var a verdict
	if len(q.budgets) > 1 {
		a, err = q.joint(limited)
	} else {
		a, err = q.single(limited, o)
	}
	done()
	switch {
	case ctx.Err() != nil && err != nil:
		return cutShortError{}
	case err != nil:
		return err
	}
	if err := o.print(a, o.json); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return cutShortError{}
	}
	return a.failed()
}

// verdict is an answer that may be none.
type verdict interface {
	result
	failed() error
}

// cutShortError is a solve that was told to stop.
type cutShortError struct{}

func (cutShortError) Error() string { return "stopped before the proof was done" }

// Unwrap tells the exit code.
func (cutShortError) Unwrap() error { return stoppedError{} }

// pose reads the problem file and narrows it down as the flags say.
func (o *solveOptions) pose() (q posed, err error) {
	if q.file, err = prune.ReadProblem(o.problem); err != nil {
		return q, err
	}
	said, err := o.beside(&q)
	if err != nil {
		return q, err
	}
	constraints, err := o.flagged.Constraints()
	if err != nil {
		return q, err
	}
	for _, pattern := range o.flagged.Fix {
		constraints.Rules = append(constraints.Rules, solve.Rule{Layers: pattern, Whole: true, Stay: true})
	}
	if q.problem, q.group, err = solve.Constrain(q.file, constraints); err != nil {
		return q, err
	}
	if q.budgets, err = o.budgets(q.file, said); err != nil {
		return q, err
	}
	switch {
	case o.timeLimit < 0 || o.memoryMB < 0 || !(o.epsilon >= 0 && o.epsilon < 1):
		return q, errors.New("time and memory limits must not be negative, and epsilon in [0, 1)")
	case o.epsilon > 0 && !o.front:
		return q, errors.New("--epsilon is of a front: give --front as well")
	case len(q.budgets) > 1 && (o.front || o.flagged.Baselines):
		return q, errors.New("--front and --baselines look at latency alone; take the costs out of the problem file")
	}
	q.opts = solve.Options{Epsilon: o.epsilon, MaxLabels: o.memoryMB << 20 / 16}
	return q, nil
}

// beside adds the problem files of further devices. said tells of each cost
// whether --with says its budget, which is its capacity then.
func (o *solveOptions) beside(q *posed) (said []bool, err error) {
	said = make([]bool, len(q.file.Costs))
	for _, w := range o.flagged.With {
		name, budget := w, ""
		if at := strings.LastIndex(w, "="); at >= 0 {
			name, budget = w[:at], w[at+1:]
		}
		other, err := prune.ReadProblem(name)
		if err != nil {
			return nil, err
		}
		if said = append(said, budget != ""); budget != "" {
			if other.Capacity, err = integer(budget, other.LatencyUnit); err != nil {
				return nil, err
			}
		}
		if q.file, err = solve.Beside(q.file, other, name); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// budgets are the problem's capacities, or what --budget says of those that
// --with does not.
func (o *solveOptions) budgets(p *solve.Problem, said []bool) ([]int64, error) {
	budgets := []int64{p.Capacity}
	units := []string{p.LatencyUnit}
	open, want := []int{0}, "one budget"
	for i, c := range p.Costs {
		budgets, units = append(budgets, c.Capacity), append(units, c.Unit)
		if !said[i] {
			open, want = append(open, i+1), want+", one for "+c.Name
		}
	}
	if !o.flags.Changed("budget") {
		if slices.Contains(budgets, 0) && !o.front {
			return nil, fmt.Errorf("%s says no budget: give %s with --budget, in %s", o.problem, want, units[0])
		}
		return budgets, nil
	}
	given := o.flagged.Budgets
	if len(given) != len(open) {
		return nil, fmt.Errorf("%s: %d budgets given, want %s", o.problem, len(given), want)
	}
	for i, at := range open {
		var err error
		if budgets[at], err = integer(given[i], units[at]); err != nil {
			return nil, err
		}
	}
	return budgets, nil
}

// integer reads a budget of a problem file.
func integer(s, unit string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("budget %q of a problem file must be an integer in its unit, %s", s, unit)
	}
	return n, nil
}

func (q posed) single(ctx context.Context, o *solveOptions) (*answer, error) {
	s, err := solve.New(q.problem, q.opts)
	if err != nil {
		return nil, err
	}
	a := &answer{problem: q.file}
	if a.Solution, err = s.Optimum(ctx, q.budgets[0]); err != nil {
		return nil, err
	}
	a.Limit = limit(ctx, a.Status)
	if o.flagged.Baselines {
		if a.Baselines, err = solve.Baselines(ctx, q.problem, q.budgets[0], q.opts); err != nil {
			return nil, err
		}
	}
	if o.front {
		if a.Front, err = s.Front(ctx); err != nil {
			return nil, err
		}
	}
	a.Options = solve.Spread(a.Options, q.group)
	for i := range a.Baselines {
		a.Baselines[i].Options = solve.Spread(a.Baselines[i].Options, q.group)
	}
	return a, nil
}

func (q posed) joint(ctx context.Context) (*jointAnswer, error) {
	s, err := solve.Joint(ctx, q.problem, q.budgets, q.opts)
	if err != nil {
		return nil, err
	}
	s.Options = solve.Spread(s.Options, q.group)
	for i := range s.Alone {
		s.Alone[i].Options = solve.Spread(s.Alone[i].Options, q.group)
	}
	a := &jointAnswer{JointSolution: s, Limit: limit(ctx, s.Status), problem: q.file}
	if s.Options != nil {
		a.Latency = s.Costs[0]
	}
	return a, nil
}

// limit says what ended the proof; "" if nothing did.
func limit(ctx context.Context, s solve.Status) string {
	switch {
	case s == solve.Optimal || s == solve.Infeasible:
		return ""
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "time"
	case ctx.Err() != nil:
		return "interrupted"
	}
	return "memory"
}
