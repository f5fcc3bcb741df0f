package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"mdp/prune"
)

func newScoreCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "score",
		Short: "Score how much the loss needs each channel",
		Long: `Scores every channel of the trained network in the run folder. Leaves
scores.json.`,
		Example: `  mdp score --run runs/demo
  mdp score --run runs/demo --importance magnitude --json`,
		Args: noArgs,
	}
	o := newRunOptions(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runScore(cmd.Context(), o) }
	return cmd
}

func runScore(ctx context.Context, o *runOptions) error {
	return o.stage(ctx, prune.StageScore, func(p *prune.Pipeline) (result, error) {
		var s scores
		err := p.ReadJSON("scores.json", &s)
		return s, err
	})
}

type scores prune.Scores

func (s scores) writeText(w io.Writer) error {
	rows := [][]string{{string(s.Importance) + " score of", "channels", "least", "median", "most"}}
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		v := slices.Sorted(slices.Values(s.Members[name]))
		if len(v) == 0 {
			continue
		}
		rows = append(rows, []string{name, fmt.Sprint(len(v)), digits(v[0]), digits(v[len(v)/2]), digits(v[len(v)-1])})
	}
	return table(w, rows)
}

func digits(v float32) string { return fmt.Sprintf("%.4g", v) }
