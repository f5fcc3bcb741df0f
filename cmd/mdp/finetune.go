package main

import (
	"context"
	"io"
	"path"

	"github.com/spf13/cobra"

	"mdp/prune"
)

func newFineTuneCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "finetune",
		Short: "Train each pruned network again",
		Long: `Trains the pruned networks again. Leaves finetuned.safetensors and finetune.json
in each budget's folder.`,
		Example: `  mdp finetune --run runs/demo
  mdp finetune --run runs/demo --finetune-learning-rate 0.02 --json`,
		Args: noArgs,
	}
	o := newRunOptions(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runFineTune(cmd.Context(), o) }
	return cmd
}

func runFineTune(ctx context.Context, o *runOptions) error {
	return o.stage(ctx, prune.StageFineTune, func(p *prune.Pipeline) (result, error) {
		all := histories{}
		for _, b := range p.Config.Budgets {
			var h history
			if err := p.ReadJSON(path.Join(b, "finetune.json"), &h); err != nil {
				return nil, err
			}
			all = append(all, budgetHistory{b, h})
		}
		return all, nil
	})
}

// budgetHistory is the fine-tuning of one budget's network.
type budgetHistory struct {
	Budget string  `json:"budget"`
	Epochs history `json:"epochs"`
}

type histories []budgetHistory

func (all histories) writeText(w io.Writer) error {
	rows := [][]string{{"budget", "epoch", "loss", "train acc %", "test acc %", "seconds"}}
	for _, h := range all {
		for _, e := range h.Epochs {
			rows = append(rows, append([]string{h.Budget}, h.Epochs.row(e)...))
		}
	}
	return table(w, rows)
}
