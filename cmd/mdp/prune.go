package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mdp/prune"
)

type pruneOptions struct {
	*runOptions
	strict bool
}

func newPruneCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Do all of it, from training to the report",
		Long: `Trains the network (or takes --weights, or --onnx), scores its channels,
measures what every choice of them costs on this machine, finds the best choice
for each budget, cuts the network, fine-tunes it, and shows what came of it.

With --no-train the weights given are cut by their magnitude, and that is all:
no data set is needed. Told of one, it measures accuracy as well.

Every step leaves its files in the run folder and is skipped when nothing it
depends on has changed. What is not given is as it was in that folder before.`,
		Example: `  mdp prune
  mdp prune --config run.yaml --quiet
  mdp prune --budget 0.7x,0.5x --run runs/demo
  mdp prune --weights weights.safetensors --run runs/demo --json
  mdp prune --onnx model.onnx --budget 0.7x
  mdp prune --no-train --onnx model.onnx --budget 0.7x --run runs/cut`,
		Args: noArgs,
	}
	o := &pruneOptions{runOptions: newRunOptions(a, cmd)}
	addStrictFlag(cmd, &o.strict)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runPrune(cmd.Context(), o) }
	return cmd
}

func addStrictFlag(cmd *cobra.Command, strict *bool) {
	cmd.Flags().BoolVar(strict, "strict", false, fmt.Sprintf("exit with %d when an expectation is missed", exitMissed))
}

func runPrune(ctx context.Context, o *pruneOptions) error {
	return o.stages(ctx, func(p *prune.Pipeline) error { return o.printSummary(p, o.strict) })
}
