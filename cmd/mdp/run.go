package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mdp/prune"
)

// runOptions are what every command that works in a run folder takes.
type runOptions struct {
	*app
	settings
	command string // as the user would type it, up to the folder
	json    bool
	quiet   bool
}

func newRunOptions(a *app, cmd *cobra.Command) *runOptions {
	o := &runOptions{app: a, command: "mdp " + cmd.Name() + " --run ", settings: settings{defaults: a.defaults}}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "tell nothing but errors and the result")
	return o
}

// stages runs stages of the pipeline, all of them if none is given, and then
// calls after on what they left.
func (o *runOptions) stages(ctx context.Context, after func(*prune.Pipeline) error, stages ...prune.Stage) error {
	folder, c, err := o.resolve()
	if err != nil {
		return usageError{err}
	}
	if len(stages) > 0 && stages[0] != prune.StageTrain {
		if !isRun(folder) {
			return fmt.Errorf("there is no run in %s: mdp prune or mdp train starts one, --run DIR names another", folder)
		}
	}
	return o.inRun(folder, c, func(p *prune.Pipeline) error { return p.Run(ctx, stages...) }, after)
}

// isRun says whether a folder has what a step after the first can begin with.
func isRun(folder string) bool {
	for _, name := range []string{"config.json", "graph.json"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return true
		}
	}
	return false
}

// inRun does something in a run's folder, telling how it goes on, and then calls
// after on what it left.
func (o *runOptions) inRun(folder string, c prune.Config, do, after func(*prune.Pipeline) error) error {
	tell, done := narrate(o.stderr, o.quiet, c.Batch)
	p, err := prune.NewPipeline(folder, c, tell)
	if err != nil {
		return err
	}
	defer p.Close()
	err = do(p)
	done()
	if errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "\n") { // else it failed to save, too
		return stoppedError{o.command + prune.Quoted(folder)}
	}
	if err != nil {
		return goesOn(err)
	}
	return after(p)
}

// stage runs one stage and prints what show reads from the files it left.
func (o *runOptions) stage(ctx context.Context, s prune.Stage, show func(*prune.Pipeline) (result, error)) error {
	return o.stages(ctx, func(p *prune.Pipeline) error {
		r, err := show(p)
		if err != nil {
			return err
		}
		return o.print(r, o.json)
	}, s)
}
