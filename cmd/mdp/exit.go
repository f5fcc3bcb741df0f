package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"mdp/engine/device"
	"mdp/prune"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInfeasible  = 3
	exitMissed      = 4
	exitInterrupted = 130 // as a shell reports a program ended by Ctrl-C
)

func newExitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit code says",
		Long: fmt.Sprintf(`What the exit code says:

  %3d  it is done
  %3d  it failed: the line on stderr says why and what to do
  %3d  the command line, run file or problem file is wrong; nothing was begun
  %3d  no network meets the budget; the line names the smallest latency there is
  %3d  with --strict: the run is done and missed an expectation
  %3d  it was stopped by Ctrl-C or SIGTERM; the same command goes on from there`,
			exitOK, exitFailed, exitUsage, exitInfeasible, exitMissed, exitInterrupted),
	}
}

// usageError is a mistake in what the command was given.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// infeasibleError is a problem that has no answer within its budget.
type infeasibleError struct{ error }

// missedError is a run that is done and did not reach what is expected of it.
type missedError struct{ missed, of int }

func (e missedError) Error() string {
	return fmt.Sprintf("%d of %d expectations missed; the table names them", e.missed, e.of)
}

// stoppedError is a run that was told to stop.
type stoppedError struct{ command string }

func (e stoppedError) Error() string {
	return "stopped; the same command goes on where it stopped: " + e.command
}

// goesOn adds what to do about an error that is not the command's: what it had done is kept.
func goesOn(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: free some space, then the same command goes on", err)
	case errors.Is(err, device.ErrLost):
		return fmt.Errorf("%w; this process has lost the GPU, the same command goes on", err)
	}
	return err
}

func exitCode(err error) int {
	var (
		usage      usageError
		infeasible infeasibleError
		budget     *prune.BudgetError
		together   *prune.TogetherError
		missed     missedError
		stopped    stoppedError
	)
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &infeasible), errors.As(err, &budget), errors.As(err, &together):
		return exitInfeasible
	case errors.As(err, &missed):
		return exitMissed
	case errors.As(err, &stopped):
		return exitInterrupted
	}
	return exitFailed
}
