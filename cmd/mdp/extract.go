package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/spf13/cobra"

	"mdp/engine/graph"
	"mdp/prune"
)

func newExtractCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "extract",
		Short: "Cut out the network that was chosen for each budget",
		Long: `Cuts the chosen channels and blocks out of the dense network. Leaves, in a
folder named after each budget, choice.json, graph.json and pruned.safetensors.`,
		Example: `  mdp extract --run runs/demo
  mdp extract --run runs/demo --json`,
		Args: noArgs,
	}
	o := newRunOptions(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runExtract(cmd.Context(), o) }
	return cmd
}

func runExtract(ctx context.Context, o *runOptions) error {
	return o.stage(ctx, prune.StageExtract, func(p *prune.Pipeline) (result, error) {
		rows := cuts{}
		for _, b := range p.Config.Budgets {
			g, err := readGraph(p.Path(path.Join(b, "graph.json")))
			if err != nil {
				return nil, err
			}
			rows = append(rows, cutNetwork{b, g.ParamCount(), g.MACs(), p.Path(path.Join(b, "pruned.safetensors"))})
		}
		return rows, nil
	})
}

func readGraph(path string) (*graph.Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return graph.Read(f)
}

// cutNetwork is the network for one budget.
type cutNetwork struct {
	Budget     string `json:"budget"`
	Parameters int64  `json:"parameters"`
	MACs       int64  `json:"macs"`
	Weights    string `json:"weights"`
}

type cuts []cutNetwork

func (c cuts) writeText(w io.Writer) error {
	rows := [][]string{{"budget", "parameters", "MMAC", "weights"}}
	for _, n := range c {
		rows = append(rows, []string{n.Budget, fmt.Sprint(n.Parameters), mega(n.MACs), n.Weights})
	}
	return table(w, rows)
}

func mega(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }
