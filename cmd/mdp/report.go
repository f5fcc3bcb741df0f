package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mdp/prune"
	"mdp/prune/report"
)

type reportOptions struct {
	runOptions // of which --json is the only flag
	strict     bool
}

func newReportCmd(a *app) *cobra.Command {
	o := &reportOptions{runOptions: runOptions{app: a, quiet: true}}
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Show what a run came to, as a table, a page and JSON",
		Long: `Prints the table of a finished run's networks and writes report.html and
front.svg in its folder from the run's files. Nothing is measured again.`,
		Example: `  mdp report runs/demo
  mdp report runs/demo --json
  mdp report runs/demo --strict || echo "not as good as expected"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReport(cmd.Context(), o, args[0])
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	addStrictFlag(cmd, &o.strict)
	o.settings = settings{defaults: a.defaults, flags: cmd.Flags()}
	return cmd
}

func runReport(ctx context.Context, o *reportOptions, folder string) error {
	if _, err := o.existing(folder); err != nil {
		return err
	}
	return o.stages(ctx, func(p *prune.Pipeline) error { return o.printSummary(p, o.strict) }, prune.StageReport)
}

// existing is the configuration of a folder that has a run, the one to work in.
func (o *runOptions) existing(folder string) (prune.Config, error) {
	if _, err := os.Stat(filepath.Join(folder, "config.json")); err != nil {
		return prune.Config{}, fmt.Errorf("%s is no run folder: it has no config.json", folder)
	}
	o.folder = folder
	_, c, err := o.resolve()
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// printSummary ends a run: the table of its networks, where its page is, and
// whether it did what is expected of it.
func (o *runOptions) printSummary(p *prune.Pipeline, strict bool) error {
	r, err := p.Summary()
	if err != nil {
		return err
	}
	if err := o.writeSummary(r, p.Path("report.html")); err != nil {
		return err
	}
	missed := 0
	for _, x := range r.Expectations {
		if !x.OK {
			missed++
		}
	}
	if strict && missed > 0 {
		return missedError{missed, len(r.Expectations)}
	}
	return nil
}

func (o *runOptions) writeSummary(r report.Run, page string) error {
	if o.json {
		return report.WriteJSON(o.stdout, r)
	}
	if err := report.WriteTable(o.stdout, r, columns(o.stdout)); err != nil {
		return err
	}
	_, err := io.WriteString(o.stdout, "\n"+page+"\n")
	return err
}
