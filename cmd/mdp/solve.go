package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"mdp/prune"
	"mdp/prune/solve"
)

type solveOptions struct {
	*runOptions
	problem string
	front   bool
}

func newSolveCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "solve [PROBLEM.json]",
		Short: "Find the best choice of channels and blocks for each budget",
		Long: `Solves the pruning problem exactly. In a run folder: for each of its budgets, and
the whole front; leaves problem.json, solution.json and frontier.csv.

Given a problem file, solves that and prints the answer; --budget is then one
integer in the problem's own unit, and without it the file's capacity counts.`,
		Example: `  mdp solve --run runs/demo
  mdp solve problem.json --json
  mdp solve problem.json --budget 250000
  mdp solve problem.json --front`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"json"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	o := &solveOptions{runOptions: newRunOptions(a, cmd)}
	cmd.Flags().BoolVar(&o.front, "front", false, "of a problem file: print the whole front as CSV, or with --json beside the answer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.problem = args[0]
			return runSolveFile(cmd.Context(), o)
		}
		return runSolve(cmd.Context(), o)
	}
	return cmd
}

func runSolve(ctx context.Context, o *solveOptions) error {
	if o.front {
		return usageError{fmt.Errorf("--front goes with a problem file; a run's front is in its frontier.csv")}
	}
	return o.stage(ctx, prune.StageSolve, func(p *prune.Pipeline) (result, error) {
		var a answers
		err := p.ReadJSON("solution.json", &a)
		return a, err
	})
}

// answers are a run's solutions, one for each budget, in nanoseconds.
type answers []prune.Answer

func (all answers) writeText(w io.Writer) error {
	rows := [][]string{{"budget", "status", "latency ms", "importance", "bound", "solved in ms"}}
	for _, a := range all {
		rows = append(rows, []string{a.Asked, string(a.Status), fmt.Sprintf("%.3f", float64(a.Latency)/1e6),
			fmt.Sprint(a.Objective), fmt.Sprint(a.Bound), fmt.Sprintf("%.1f", 1e3*a.Seconds)})
	}
	return table(w, rows)
}

func runSolveFile(ctx context.Context, o *solveOptions) error {
	p, budget, err := o.readProblem()
	if err != nil {
		return usageError{err}
	}
	a := answer{problem: p}
	if a.Solution, err = solve.Optimum(ctx, p, budget, solve.Options{}); err != nil {
		return err
	}
	if o.front {
		if a.Front, err = solve.Front(ctx, p, solve.Options{}); err != nil {
			return err
		}
	}
	if err := o.print(a, o.json); err != nil {
		return err
	}
	if a.Status == solve.Infeasible && !o.front {
		return infeasibleError{fmt.Errorf("budget %d is below the smallest latency there is, %d %s: raise the budget", budget, a.MinLatency, p.LatencyUnit)}
	}
	return nil
}

func (o *solveOptions) readProblem() (*solve.Problem, int64, error) {
	f, err := os.Open(o.problem)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	p, err := solve.ReadProblem(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", o.problem, err)
	}
	if !o.flags.Changed("budget") {
		return p, p.Capacity, nil
	}
	given := o.flagged.Budgets
	if len(given) != 1 {
		return nil, 0, fmt.Errorf("a problem file is solved for one budget, not %d", len(given))
	}
	budget, err := strconv.ParseInt(given[0], 10, 64)
	if err != nil {
		return nil, 0, fmt.Errorf("budget %q of a problem file must be an integer in its unit, %s", given[0], p.LatencyUnit)
	}
	return p, budget, nil
}

// answer is the solution of a problem file, in its units.
type answer struct {
	solve.Solution
	Front   []solve.Point `json:"front,omitempty"`
	problem *solve.Problem
}

func (a answer) writeText(w io.Writer) error {
	if a.Front != nil {
		fmt.Fprintln(w, "latency,importance")
		for _, p := range a.Front {
			if _, err := fmt.Fprintf(w, "%d,%d\n", p.Latency, p.Importance); err != nil {
				return err
			}
		}
		return nil
	}
	rows := [][]string{
		{"problem", a.problem.Name},
		{"status", string(a.Status)},
		{"budget", fmt.Sprint(a.Budget, " ", a.problem.LatencyUnit)},
	}
	if a.Status != solve.Infeasible {
		rows = append(rows,
			[]string{"latency", fmt.Sprint(a.Latency, " ", a.problem.LatencyUnit)},
			[]string{"objective", fmt.Sprint(a.Objective, " × ", a.problem.ImportanceUnit)},
			[]string{"bound", fmt.Sprintf("%d, gap %.3g", a.Bound, a.Gap)},
			[]string{"options", fmt.Sprint(a.Options)},
			[]string{"blocks off", fmt.Sprint(off(a.BlocksOn))})
	}
	return table(w, append(rows, []string{"solved in", fmt.Sprintf("%.1f ms", 1e3*a.Seconds)}))
}

// off lists the blocks that are removed.
func off(on []bool) []int {
	var ids []int
	for i, b := range on {
		if !b {
			ids = append(ids, i)
		}
	}
	return ids
}
