// Command mdp prunes a trained convolutional network to a latency budget that
// is measured on this machine, and shows what it cut and why.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"mdp/prune"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C kills
	a := app{stdout: os.Stdout, stderr: os.Stderr, defaults: prune.Defaults}
	os.Exit(a.run(ctx, os.Args[1:]))
}
