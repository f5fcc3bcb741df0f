package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mdp/prune"
)

func newSolveCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "solve [PROBLEM.json]",
		Short: "Find the best choice of channels and blocks for each budget",
		Long: `Solves the pruning problem exactly. In a run folder: for each of its budgets,
and the whole front; leaves problem.json, solution.json and frontier.csv.

Given a problem file, solves that and prints the answer: proven optimal, or the
best that a limit left time or memory for, with its bound and gap. --budget is
then an integer in the problem's own unit; without it, the file's capacity.

A problem file may have costs beside its latency: that of other devices,
parameters, bytes. Its budgets are then given in the file's order, latency
first, and the answer is the one network within all of them, beside what each
budget alone would have allowed.

--with adds another device's latency: FILE=BUDGET, FILE being the problem.json
of a run of the same network there. In a run, every budget's network keeps this
one, too. Of a problem file, =BUDGET may be left out: it is then the next of
--budget.

What may be chosen can be narrowed down, in a run and for a problem file: --fix,
--stay, --min-share, --max-share, --multiple and --equal. --baselines adds what
simpler methods choose.`,
		Example: `  mdp solve --run runs/demo
  mdp solve --run runs/demo --multiple 8 --min-share 0.25 --baselines
  mdp solve problem.json --json
  mdp solve problem.json --budget 250000 --baselines
  mdp solve problem.json --front > frontier.csv
  mdp solve problem.json --front --epsilon 0.001
  mdp solve problem.json --time-limit 10s --memory-limit 500
  mdp solve problem.json --fix '*layer4*' --stay '*layer[12]*' --multiple 64
  mdp solve problem.json --equal '*layer3.[1-5].conv2'
  mdp solve problem.json --min-share 0.25,'*layer3*=0.5'
  mdp solve two-devices.json --budget 65,85
  mdp solve problem.json --with phone.json --budget 250000,300000
  mdp solve problem.json --with phone.json=300000 --budget 250000`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	o := &solveOptions{runOptions: newRunOptions(a, cmd)}
	flags := cmd.Flags()
	flags.BoolVar(&o.front, "front", false, "of a problem file: print every budget's answer as CSV, or with --json beside the answer")
	flags.Float64Var(&o.epsilon, "epsilon", 0, "of a front: leave out points that keep less than this share more than the one before")
	flags.DurationVar(&o.timeLimit, "time-limit", 0, "of a problem file: time after which the best found so far is the answer; 0 is none")
	flags.IntVar(&o.memoryMB, "memory-limit", 0, "of a problem file: megabytes of partial choices after which it is; 0 is 1600")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			o.problem = args[0]
			return runSolveFile(cmd.Context(), o)
		}
		for _, name := range []string{"front", "epsilon", "time-limit", "memory-limit"} {
			if flags.Changed(name) {
				return usageError{fmt.Errorf("--%s goes with a problem file; a run's are its problem.json and, for the front, frontier.csv", name)}
			}
		}
		return runSolve(cmd.Context(), o.runOptions)
	}
	return cmd
}

func runSolve(ctx context.Context, o *runOptions) error {
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
	if err := table(w, rows); err != nil {
		return err
	}
	further := [][]string{{"budget", "on a further device", "its budget ms", "latency ms"}}
	for _, a := range all {
		for _, f := range a.Further {
			further = append(further, []string{a.Asked, f.Name, fmt.Sprintf("%.3f (%s)", float64(f.Budget)/1e6, f.Asked), fmt.Sprintf("%.3f", float64(f.Latency)/1e6)})
		}
	}
	if len(further) > 1 {
		fmt.Fprintln(w)
		if err := table(w, further); err != nil {
			return err
		}
	}
	for _, a := range all {
		if len(a.Baselines) > 0 {
			fmt.Fprintf(w, "\n%s against simpler methods\n", a.Asked)
			if err := table(w, baselineRows(a.Solution, a.Baselines)); err != nil {
				return err
			}
		}
	}
	return nil
}
