// Compare-solvers holds the exact solver against two independent ones, GLPK's
// glpsol and COIN-OR's cbc (Debian: glpk-utils, coinor-cbc), on the linearised
// program: every published problem, each again with a second device, and some
// random ones. It prints a Markdown table and fails if a proven objective differs.
//
//	go run ./scripts/compare-solvers >prune/solve/testdata/solvers.md
//	go run ./scripts/compare-solvers -limit 10m prune/solve/testdata/rn101*.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mdp/prune/solve"
)

func main() {
	limit := flag.Duration("limit", time.Minute, "time limit for each solve by glpsol or cbc")
	flag.Parse()
	if err := run(flag.Args(), *limit); err != nil {
		fmt.Fprintln(os.Stderr, "compare-solvers:", err)
		os.Exit(1)
	}
}

func run(files []string, limit time.Duration) error {
	var present []milp
	for _, m := range []milp{glpsol, cbc} {
		if _, err := exec.LookPath(m.name); err == nil {
			present = append(present, m)
		}
	}
	if len(present) == 0 {
		return errors.New("neither glpsol nor cbc is installed (Debian: glpk-utils, coinor-cbc)")
	}
	cases, err := allCases(files)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "compare-solvers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	fmt.Print("| problem | costs | optimum | solve ms |")
	for _, m := range present {
		fmt.Printf(" %s s | |", m.name)
	}
	fmt.Print("\n|---|--:|--:|--:|")
	for range present {
		fmt.Print("--:|---|")
	}
	fmt.Println()
	differ := 0
	for _, p := range cases {
		budgets := budgetsOf(p)
		ours, err := solve.Joint(context.Background(), p, budgets, solve.Options{})
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %s | %.1f |", p.Name, len(budgets), show(ours), ours.Seconds*1e3)
		file := filepath.Join(scratch, p.Name+".lp")
		if err := writeLP(file, p, budgets); err != nil {
			return err
		}
		for _, m := range present {
			began := time.Now()
			theirs, err := m.solve(p, file, limit)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", m.name, p.Name, err)
			}
			verdict, same := judge(p, ours, theirs)
			if !same {
				differ++
			}
			fmt.Printf(" %.2f | %s |", time.Since(began).Seconds(), verdict)
		}
		fmt.Println()
	}
	if differ > 0 {
		return fmt.Errorf("%d answers differ", differ)
	}
	return nil
}

func show(s solve.JointSolution) string {
	if s.Status == solve.Infeasible {
		return "infeasible"
	}
	return fmt.Sprint(s.Objective)
}

// judge compares the configurations themselves, by the problem's integer tables.
func judge(p *solve.Problem, ours solve.JointSolution, theirs answer) (verdict string, same bool) {
	switch {
	case !theirs.proven:
		return "limit reached", true
	case theirs.options == nil:
		return "infeasible", ours.Status == solve.Infeasible
	}
	objective, _, err := p.Evaluate(theirs.options, theirs.blocksOn)
	if err != nil {
		return err.Error(), false
	}
	costs, err := p.CostsOf(theirs.options, theirs.blocksOn)
	if err != nil {
		return err.Error(), false
	}
	for i, c := range costs {
		if c > ours.Budgets[i] {
			return fmt.Sprintf("over budget %d by %d", i, c-ours.Budgets[i]), false
		}
	}
	if ours.Status != solve.Optimal || objective != ours.Objective {
		return fmt.Sprintf("differs: %d", objective), false
	}
	return "same", true
}
