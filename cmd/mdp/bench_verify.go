package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mdp/prune"
	"mdp/prune/report"
)

type verifyOptions struct {
	runOptions // of which --json and --quiet are the only flags
	n          int
}

func newBenchVerifyCmd(a *app) *cobra.Command {
	o := &verifyOptions{runOptions: runOptions{app: a, command: "mdp bench verify "}}
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Time a run's sub-networks beside what its table predicts",
		Long: `Draws sub-networks at 0.8, 0.6, 0.4 and 0.2 of the dense latency, takes the
run's own solutions as well, extracts each, and times it in turn with the dense
network. Prints the measured latency and the error of each way to predict it: as
the solver does, by rows tied to the dense network's calls (tied), by adding up
rows as they were measured (additive), and by output channels alone (linear).
Leaves verify.jsonl, raw and resumed, verify.json and verify.svg in the run's
folder.`,
		Example: `  mdp bench verify runs/demo
  mdp bench verify runs/demo --n 4 --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		RunE:              func(cmd *cobra.Command, args []string) error { return runBenchVerify(cmd.Context(), o, args[0]) },
	}
	cmd.Flags().IntVar(&o.n, "n", 20, "random sub-networks to time")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "tell nothing but errors and the result")
	o.settings = settings{defaults: a.defaults, flags: cmd.Flags()}
	return cmd
}

func runBenchVerify(ctx context.Context, o *verifyOptions, folder string) error {
	if o.n < 1 {
		return usageError{fmt.Errorf("--n %d: time at least 1 sub-network", o.n)}
	}
	c, err := o.existing(folder)
	if err != nil {
		return err
	}
	var v report.Verification
	return o.inRun(folder, c, func(p *prune.Pipeline) (err error) {
		v, err = p.Verify(ctx, o.n, prune.VerifyRule)
		return err
	}, func(p *prune.Pipeline) error { return o.print(verification{v, p.Path("verify.svg")}, o.json) })
}

// verification ends with where its plot is.
type verification struct {
	report.Verification
	plot string
}

func (v verification) writeText(w io.Writer) error {
	if err := v.WriteTable(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", v.plot)
	return err
}
