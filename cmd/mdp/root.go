package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"mdp/prune"
)

// app is what every command shares. Results go to stdout, all else to stderr.
type app struct {
	stdout, stderr io.Writer
	defaults       func() prune.Config

	started bool // the command line was understood
}

// run executes a command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRootCmd(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !a.started {
		err = usageError{fmt.Errorf("%s; mdp help shows how", parsed.ReplaceAllString(err.Error(), ""))}
	}
	fmt.Fprintf(a.stderr, "mdp: %s\n", oneLine(err))
	return exitCode(err)
}

// parsed is what Go says between a flag's value and what is wrong with it.
var parsed = regexp.MustCompile(`strconv\.\w+: parsing ".*": `)

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "mdp",
		Short: "Prune a trained network to a latency budget",
		Long: `mdp takes a trained convolutional network, a data set and a latency budget, and
leaves the best smaller network for that budget on this machine.

One command does all of it:  mdp prune
Each of its steps is a command of its own, and all of them share a run folder.
A step whose inputs have not changed is skipped; a run that was stopped goes on.`,
		Example: `  mdp prune --data synthetic --budget 0.5x
  mdp report runs/demo
  mdp doctor`,
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableSuggestions: true, // they take lines
		PersistentPreRun:   func(*cobra.Command, []string) { a.started = true },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	flow := &cobra.Group{ID: "flow", Title: "The flow:"}
	steps := &cobra.Group{ID: "steps", Title: "Its steps, in order:"}
	about := &cobra.Group{ID: "about", Title: "About it:"}
	root.AddGroup(flow, steps, about)
	root.SetHelpCommandGroupID(about.ID)
	cobra.EnableCommandSorting = false
	add := func(g *cobra.Group, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = g.ID
		}
		root.AddCommand(commands...)
	}
	add(flow, newImportCmd(a), newPruneCmd(a), newSweepCmd(a), newReportCmd(a), newExportCmd(a), newRunCmd(a))
	add(steps, newTrainCmd(a), newScoreCmd(a), newBenchCmd(a), newSolveCmd(a), newExtractCmd(a), newFineTuneCmd(a), newEvalCmd(a))
	add(about, newNetsCmd(a), newInspectCmd(a), newDoctorCmd(a), newImportTableCmd(a))
	add(about, cudaCommands(a)...)
	add(about, newCompletionCmd(a), newVersionCmd(a))
	root.AddCommand(newExitCodesTopic())
	fit80(root)
	return root
}

// noArgs is cobra.NoArgs in words that fit a command without commands below it.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes flags alone, and was given %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// oneLine is an error as one line, however many it was joined of.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(c rune) bool { return c == '\n' || c == '\r' }), "; ")
}
