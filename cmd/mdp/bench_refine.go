package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mdp/prune"
)

func newBenchRefineCmd(a *app) *cobra.Command {
	o := &runOptions{app: a, command: "mdp bench refine "}
	cmd := &cobra.Command{
		Use:   "refine DIR",
		Short: "Measure a coarse table around a run's solutions, and solve again",
		Long: `A run with --coarse n measures every n-th option of a group only; the rest is
filled in by a model of the device's tiles, marked in filled.json, and its error
printed when the run is solved. This measures what the solutions run and what
lies one option beside it, into refined.jsonl, and solves again, until the
solutions run nothing that was filled in. Then mdp prune goes on from there.`,
		Example: `  mdp bench refine runs/demo
  mdp bench refine runs/demo --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		RunE:              func(cmd *cobra.Command, args []string) error { return runBenchRefine(cmd.Context(), o, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "tell nothing but errors and the result")
	o.settings = settings{defaults: a.defaults, flags: cmd.Flags()}
	return cmd
}

func runBenchRefine(ctx context.Context, o *runOptions, folder string) error {
	c, err := o.existing(folder)
	if err != nil {
		return err
	}
	var r refinement
	return o.inRun(folder, c, func(p *prune.Pipeline) (err error) {
		r.Rounds, err = p.Refine(ctx)
		return err
	}, func(*prune.Pipeline) error { return o.print(r, o.json) })
}

// refinement is what each round of it came to.
type refinement struct {
	Rounds []prune.Refined `json:"rounds"`
}

func (r refinement) writeText(w io.Writer) error {
	rows := [][]string{{"round", "measured", "filled in still", "budget", "latency ms", "importance"}}
	for i, round := range r.Rounds {
		for j, a := range round.Answers {
			row := []string{"", "", "", a.Asked, fmt.Sprintf("%.3f", float64(a.Latency)/1e6), fmt.Sprint(a.Objective)}
			if j == 0 {
				row[0], row[1], row[2] = fmt.Sprint(i+1), fmt.Sprint(round.Measured), fmt.Sprint(round.Filled)
			}
			rows = append(rows, row)
		}
	}
	return table(w, rows)
}
