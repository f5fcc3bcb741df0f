package prune

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mdp/prune/solve"
)

// further is one value of the key with: a device beside the run's own.
type further struct {
	name   string // of the file, as it was given
	budget string
}

func parseFurther(s string) (further, error) {
	at := strings.LastIndex(s, "=")
	if at < 1 {
		return further{}, fmt.Errorf("with %q is no FILE=BUDGET such as runs/phone/problem.json=0.5x", s)
	}
	f := further{s[:at], s[at+1:]}
	if _, err := parseBudget(f.budget); err != nil {
		return further{}, fmt.Errorf("with %s: %w", f.name, err)
	}
	return f, nil
}

// ReadProblem reads a problem file, or that of a run folder.
func ReadProblem(name string) (*solve.Problem, error) {
	f, err := os.Open(problemFile(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := solve.ReadProblem(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return p, nil
}

func problemFile(name string) string {
	if isFolder(name) {
		return filepath.Join(name, "problem.json")
	}
	return name
}

// FurtherLatency is what an answer takes on a device that the key with names.
type FurtherLatency struct {
	Name    string `json:"name"`
	Asked   string `json:"asked"`
	Budget  int64  `json:"budget"` // ns, as is Latency
	Latency int64  `json:"latency"`
}

// beside poses the problem for the further devices, too, each a cost whose
// capacity is its budget.
func (c Config) beside(problem *solve.Problem) (*solve.Problem, error) {
	for _, w := range c.With {
		f, err := parseFurther(w)
		if err != nil {
			return nil, err
		}
		other, err := ReadProblem(f.name)
		if err != nil {
			return nil, says(err)
		}
		if other.LatencyUnit != problem.LatencyUnit {
			return nil, says(fmt.Errorf("latencies of %s are in %q, need %s", f.name, other.LatencyUnit, problem.LatencyUnit))
		}
		dense, err := other.CostsOf(other.Dense())
		if err != nil {
			return nil, says(err)
		}
		if other.Capacity, err = BudgetNS(f.budget, dense[0]); err != nil {
			return nil, says(err)
		}
		if problem, err = solve.Beside(problem, other, f.name); err != nil {
			return nil, says(err)
		}
	}
	return problem, nil
}

// readFurther finds what is wrong with the further devices' files.
func (c Config) readFurther() error {
	for _, w := range c.With {
		f, err := parseFurther(w)
		if err != nil {
			return err
		}
		if _, err := ReadProblem(f.name); err != nil {
			return says(err)
		}
	}
	return nil
}

func says(err error) error {
	return fmt.Errorf("with: %w: measure this network there, in a run of its own up to mdp solve, and give that run's problem.json", err)
}

// together finds the answer again, within the budgets of the further devices, too.
func (c Config) together(ctx context.Context, problem, constrained *solve.Problem, a *Answer) error {
	dense, err := problem.CostsOf(problem.Dense())
	if err != nil {
		return err
	}
	budgets := []int64{a.Budget}
	for _, cost := range problem.Costs {
		budgets = append(budgets, cost.Capacity)
	}
	s, err := solve.Joint(ctx, constrained, budgets, solve.Options{})
	if err != nil {
		return err
	}
	asked := []string{a.Asked}
	for i, cost := range problem.Costs {
		f, err := parseFurther(c.With[i])
		if err != nil {
			return err
		}
		asked = append(asked, f.budget+" on "+f.name)
		if alone := s.Alone[i+1]; alone.Status == solve.Infeasible {
			return &BudgetError{asked[i+1], cost.Capacity, alone.MinLatency, dense[i+1]}
		}
		a.Further = append(a.Further, FurtherLatency{Name: f.name, Asked: f.budget, Budget: cost.Capacity})
	}
	switch s.Status {
	case solve.Infeasible:
		return &TogetherError{asked}
	case solve.Unknown:
		return fmt.Errorf("no network within %s was found in the memory that a solve may take: raise a budget", strings.Join(asked, ", "))
	}
	a.Solution = solve.Solution{
		Status: s.Status, Budget: a.Budget, Objective: s.Objective, Latency: s.Costs[0], Bound: s.Bound, Gap: s.Gap,
		Seconds: s.Seconds, Options: s.Options, BlocksOn: s.BlocksOn, Labels: s.Labels, MinLatency: a.MinLatency,
	}
	for i := range a.Further {
		a.Further[i].Latency = s.Costs[i+1]
	}
	return nil
}

// TogetherError is budgets of several devices, each of which can be met, but not all by one network.
type TogetherError struct{ Budgets []string }

func (e *TogetherError) Error() string {
	return fmt.Sprintf("each of the budgets %s can be met alone, but no network meets all of them: raise one", strings.Join(e.Budgets, ", "))
}

// elsewhere says what the answer takes on the further devices.
func (a Answer) elsewhere() string {
	s := ""
	for _, f := range a.Further {
		s += fmt.Sprintf(", %.3f ms on %s", ms(f.Latency), f.Name)
	}
	return s
}

// furtherDigests tells when a further device's file, or what is asked of it, has changed.
func (c Config) furtherDigests() (digests []string, err error) {
	for _, w := range c.With {
		f, err := parseFurther(w)
		if err != nil {
			return nil, err
		}
		d, err := digest(problemFile(f.name))
		if err != nil {
			return nil, says(err)
		}
		digests = append(digests, d+"="+f.budget)
	}
	return digests, nil
}
