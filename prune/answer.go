package prune

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"mdp/bench"
	"mdp/prune/solve"
)

// BudgetError is a budget that no choice meets.
type BudgetError struct {
	Budget                     string // as it was asked for
	BudgetNS, LeastNS, DenseNS int64
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("budget %s is %.3f ms, below the smallest latency there is, %.3f ms (%.3fx): raise the budget",
		e.Budget, ms(e.BudgetNS), ms(e.LeastNS), float64(e.LeastNS)/float64(e.DenseNS))
}

// Answer is one budget, as it was asked for, with the solver's solution: an
// element of solution.json. Its options are of the groups of problem.json.
type Answer struct {
	Asked string `json:"asked"`
	solve.Solution
	Further   []FurtherLatency `json:"further,omitempty"`
	Filled    []string         `json:"filled,omitempty"` // configurations it runs whose latency was not measured
	Baselines []solve.Baseline `json:"baselines,omitempty"`
}

// answer solves every budget and the front from one problem.
func (p *Pipeline) answer(ctx context.Context, space *Space, problem *solve.Problem, filled bench.Filled) error {
	dense, err := p.dense()
	if err != nil {
		return err
	}
	constrained, group, err := p.Config.constrain(space.Steps, problem)
	if err != nil {
		return err
	}
	solver, err := solve.New(constrained, solve.Options{})
	if err != nil {
		return err
	}
	var answers []Answer
	for _, b := range p.Config.Budgets {
		budgetNS, err := BudgetNS(b, dense.LatencyNS)
		if err != nil {
			return err
		}
		a := Answer{Asked: b}
		if a.Solution, err = solver.Optimum(ctx, budgetNS); err != nil {
			return err
		}
		if a.Status == solve.Infeasible && a.MinLatency >= unreachable {
			return errors.New("no network of measured configurations alone meets any budget: measure more, with a smaller --coarse or mdp bench refine, or without --measured-only")
		}
		if a.Status == solve.Infeasible {
			return &BudgetError{b, budgetNS, a.MinLatency, dense.LatencyNS}
		}
		if len(problem.Costs) > 0 {
			if err := p.Config.together(ctx, problem, constrained, &a); err != nil {
				return err
			}
		}
		p.remark(StageSolve, "%s: %s, %.1f %% of the importance in %.3f ms%s, %.1f ms to solve", b, a.Status,
			100*float64(a.Objective)/importanceUnits, ms(a.Latency), a.elsewhere(), 1e3*a.Seconds)
		a.Options = solve.Spread(a.Options, group)
		a.Filled = space.filledIn(filled, a.Options, a.BlocksOn)
		if len(a.Filled) > 0 {
			p.remark(StageSolve, "%s: %d of its configurations are filled in: mdp bench refine %s measures them", b, len(a.Filled), p.dir)
		}
		if p.Config.Baselines {
			if a.Baselines, err = solve.Baselines(ctx, constrained, budgetNS, solve.Options{}); err != nil {
				return err
			}
			for i := range a.Baselines {
				a.Baselines[i].Options = solve.Spread(a.Baselines[i].Options, group)
			}
		}
		answers = append(answers, a)
	}
	front, err := solver.Front(ctx)
	if err != nil {
		return err
	}
	front = slices.DeleteFunc(front, func(q solve.Point) bool { return q.Latency >= unreachable })
	p.remark(StageSolve, "front of %d points", len(front))
	if err := p.Log("solve", answers); err != nil {
		return err
	}
	if err := p.WriteJSON("filled.json", filled); err != nil {
		return err
	}
	if err := p.Write("problem.json", problem.Write); err != nil {
		return err
	}
	if err := p.WriteJSON("solution.json", answers); err != nil {
		return err
	}
	return p.Write("frontier.csv", func(w io.Writer) error {
		if _, err := fmt.Fprintln(w, "latency_ns,importance"); err != nil {
			return err
		}
		for _, q := range front {
			if _, err := fmt.Fprintf(w, "%d,%d\n", q.Latency, q.Importance); err != nil {
				return err
			}
		}
		return nil
	})
}
