package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"mdp/bench"
	"mdp/prune"
)

func newImportTableCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import-table FILE",
		Short: "Read a published latency table, and pose a run's problem with it",
		Long: `Reads a latency table as HALP and MDP publish theirs, a pickled dictionary from
batch_in_out_size_kernel_stride[_groups] to milliseconds, and prints it as CSV
in nanoseconds. Nothing in the file is executed.

With --run, prints the problem of that run instead, with the table's latencies
in place of those measured here: what mdp solve takes, for the device that the
table is of, or beside this machine's own by mdp solve --with. The run must have
been scored. Its first budget becomes the problem's; --step sets the channels
per option, and --latency-batch which rows count where the table has several
batches.`,
		Example: `  mdp import-table titanv.pkl > titanv.csv
  mdp import-table titanv.pkl --run runs/demo --step 4 --budget 0.5x > new.json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"pkl"}, cobra.ShellCompDirectiveFilterFileExt),
	}
	o := &runOptions{app: a, command: "mdp import-table", settings: settings{defaults: a.defaults}, quiet: true}
	o.addFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error { return runImportTable(o, args[0]) }
	return cmd
}

func runImportTable(o *runOptions, file string) error {
	t, err := bench.ReadPublished(file)
	if err != nil {
		return usageError{err}
	}
	if !o.flags.Changed("run") {
		return t.WriteCSV(o.stdout)
	}
	folder, c, err := o.resolve()
	if err != nil {
		return usageError{err}
	}
	batches := t.Batches()
	batch := batches[0]
	if len(batches) > 1 || o.flags.Changed("latency-batch") {
		if batch = c.LatencyBatch; !slices.Contains(batches, batch) {
			return usageError{fmt.Errorf("%s has rows of batches %v, not %d: choose with --latency-batch", file, batches, batch)}
		}
	}
	p, err := prune.NewPipeline(folder, c, func(prune.Event) {})
	if err != nil {
		return err
	}
	defer p.Close()
	problem, err := p.PublishedProblem(t, batch)
	if err != nil {
		return err
	}
	return problem.Write(o.stdout)
}
