package main

import (
	"context"

	"github.com/spf13/cobra"

	"mdp/prune"
)

func newEvalCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure every network's accuracy and end-to-end latency",
		Long: `Measures the accuracy of the dense, masked, pruned and fine-tuned networks on
the test set, and their latencies in turn, all in one run. Leaves eval.json and
the report.`,
		Example: `  mdp eval --run runs/demo
  mdp eval --run runs/demo --json`,
		Args: noArgs,
	}
	o := newRunOptions(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runEval(cmd.Context(), o) }
	return cmd
}

func runEval(ctx context.Context, o *runOptions) error {
	return o.stages(ctx, func(p *prune.Pipeline) error { return o.printSummary(p, false) }, prune.StageEval, prune.StageReport)
}
