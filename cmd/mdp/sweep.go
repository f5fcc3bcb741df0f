package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mdp/prune"
	"mdp/prune/report"
	"mdp/prune/sweep"
)

type sweepOptions struct {
	*app
	dir    string // "" is sweeps/<file>
	json   bool
	quiet  bool
	slurm  bool
	dryRun bool
	job    int
}

func newSweepCmd(a *app) *cobra.Command {
	o := sweepOptions{app: a}
	cmd := &cobra.Command{
		Use:   "sweep FILE",
		Short: "Do mdp prune for every combination of settings",
		Long: `Reads a run file in which keys may have lists of values, and does mdp prune for
every combination of them, each in a run folder of its own:

  net: [resnet14-cifar, resnet20-cifar]
  seed: [1, 2, 3]
  device: [cpu, [cuda:0, cuda:1]]
  budget: [0.7x, 0.5x]
  epochs: 4

Devices that are a list within the list are alike: a run takes whichever is
free. One run at a time is on a device. A key that is a list anyway, such as
budget, is one value, for a run answers all its budgets; a list of lists is
several. The processor has no tf32; what asks for it there is left out.

Each run is a process, so that none takes another down. One that fails is tried
again after the others, on another device if it may be. A sweep that was
stopped, or killed, goes on; one that is done is only summed up: a table, and
summary.html, .csv and .json in its folder.

--slurm submits the runs that are not done as a job array, with the options that
the file's key slurm lists: slurm: [--partition=gpu, --time=8:00:00].`,
		Example: `  mdp sweep sweep.yaml --dry-run
  mdp sweep sweep.yaml
  mdp sweep sweep.yaml --json > sweep.json
  mdp sweep sweep.yaml --dir sweeps/again --slurm --dry-run`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE:              func(cmd *cobra.Command, args []string) error { return runSweep(cmd.Context(), &o, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.dir, "dir", "", "folder of the runs and the summary (default sweeps/<name of the file>)")
	flags.BoolVar(&o.slurm, "slurm", false, "submit the runs to Slurm instead")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the runs, or with --slurm the script, and do nothing")
	flags.IntVar(&o.job, "job", -1, "do this run alone, as a Slurm task does")
	flags.BoolVar(&o.json, "json", false, "print the result as JSON")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "tell nothing but errors and the result")
	must(cmd.MarkFlagDirname("dir"))
	return cmd
}

func runSweep(ctx context.Context, o *sweepOptions, file string) error {
	s, err := o.read(file)
	if err != nil {
		return usageError{err}
	}
	if !o.quiet {
		for _, l := range s.LeftOut {
			fmt.Fprintln(o.stderr, "left out:", l)
		}
	}
	switch {
	case o.slurm:
		return o.submit(ctx, s, file)
	case o.dryRun:
		return o.print(jobs(s.Jobs), o.json)
	}
	tell, done := narrateSweep(o.stderr, o.quiet)
	if o.job >= 0 {
		device := s.Jobs[o.job].Devices[0]
		if strings.HasPrefix(device, "cuda:") && os.Getenv("SLURM_JOB_ID") != "" {
			device = "cuda:0" // Slurm shows a task the GPU it may use, and that alone
		}
		err = s.RunJob(ctx, o.job, device, tell)
	} else {
		err = s.Run(ctx, tell)
	}
	done()
	if errors.Is(err, context.Canceled) {
		return stoppedError{again(file, s)}
	}
	if err != nil {
		return err
	}
	r, err := s.Summarise()
	if err != nil {
		return err
	}
	return o.printSweep(r, filepath.Join(s.Dir, "summary.html"))
}

// read reads the sweep file and checks what can be checked before any run.
func (o *sweepOptions) read(file string) (*sweep.Sweep, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plan, err := sweep.Read(f, o.defaults())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, j := range plan.Jobs {
		for _, k := range keys(&j.Config) {
			if err := k.check(); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, j.Name, err)
			}
		}
	}
	if o.job < -1 || o.job >= len(plan.Jobs) {
		return nil, fmt.Errorf("%s has the runs 0 to %d, not %d", file, len(plan.Jobs)-1, o.job)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if o.dir == "" {
		o.dir = filepath.Join("sweeps", name)
	}
	return &sweep.Sweep{Plan: plan, Dir: o.dir, Program: program, Title: "mdp sweep: " + name,
		Final: func(code int) bool { return code == exitUsage || code == exitInfeasible }}, nil
}

// again is the command that goes on with a sweep.
func again(file string, s *sweep.Sweep) string {
	return fmt.Sprintf("mdp sweep %s --dir %s", prune.Quoted(file), prune.Quoted(s.Dir))
}

// submit hands the runs that are not done to Slurm.
func (o *sweepOptions) submit(ctx context.Context, s *sweep.Sweep, file string) error {
	scripts, err := s.Scripts(file)
	if err != nil {
		return err
	}
	if len(scripts) == 0 {
		fmt.Fprintf(o.stderr, "every run is done: %s sums them up\n", again(file, s))
	}
	for _, script := range scripts {
		if o.dryRun {
			fmt.Fprint(o.stdout, script.Text)
			continue
		}
		id, err := s.Submit(ctx, script)
		if err != nil {
			return err
		}
		fmt.Fprintf(o.stdout, "job array %s: %d runs by %s\n", id, len(script.Tasks), filepath.Join(s.Dir, script.Name))
	}
	return nil
}

// jobs are what a sweep would do.
type jobs []sweep.Job

func (js jobs) writeText(w io.Writer) error {
	rows := [][]string{{"run", "device", "budgets"}}
	for _, j := range js {
		rows = append(rows, []string{j.Name, strings.Join(j.Devices, " or "), strings.Join(j.Config.Budgets, ", ")})
	}
	return table(w, rows)
}

// printSweep ends a sweep: its table, where its page is, and whether all went well.
func (o *sweepOptions) printSweep(r report.Sweep, page string) error {
	var err error
	if o.json {
		err = report.WriteSweepJSON(o.stdout, r)
	} else if err = report.WriteSweepTable(o.stdout, r, columns(o.stdout)); err == nil {
		_, err = fmt.Fprintf(o.stdout, "\n%s\n", page)
	}
	if err != nil {
		return err
	}
	failed, first := 0, ""
	for _, run := range r.Runs {
		if run.State == string(sweep.Failed) {
			if failed++; first == "" {
				first = run.Name + ": " + run.Error
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d runs failed, such as %s; the same command tries them again", failed, len(r.Runs), first)
	}
	return nil
}
