package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mdp/engine/train"
	"mdp/prune"
)

func newTrainCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train the dense network, or take it from a file",
		Long: `Trains the network from scratch, or takes --weights or --onnx. Leaves
graph.json, weights.safetensors and train.json.`,
		Example: `  mdp train --net resnet8-cifar --data synthetic --epochs 1 --run runs/small
  mdp train --weights weights.safetensors`,
		Args: noArgs,
	}
	o := newRunOptions(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runTrain(cmd.Context(), o) }
	return cmd
}

func runTrain(ctx context.Context, o *runOptions) error {
	return o.stage(ctx, prune.StageTrain, func(p *prune.Pipeline) (result, error) {
		var h history
		err := p.ReadJSON("train.json", &h)
		return h, err
	})
}

// history is the epochs of a training.
type history []train.Epoch

func (h history) writeText(w io.Writer) error {
	rows := [][]string{{"epoch", "loss", "train acc %", "test acc %", "seconds"}}
	for _, e := range h {
		rows = append(rows, h.row(e))
	}
	return table(w, rows)
}

func (history) row(e train.Epoch) []string {
	return []string{fmt.Sprint(e.Epoch), fmt.Sprintf("%.4f", e.Loss), fmt.Sprintf("%.2f", 100*e.TrainAccuracy),
		fmt.Sprintf("%.2f", 100*e.TestAccuracy), fmt.Sprintf("%.1f", e.Seconds)}
}
