package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/device"
	"mdp/engine/nets"
)

// rooflineOptions are the flags of mdp bench that belong to --roofline.
type rooflineOptions struct {
	*runOptions
	on, train bool
	sort      string
}

func newRooflineOptions(o *runOptions, cmd *cobra.Command) *rooflineOptions {
	r := &rooflineOptions{runOptions: o}
	cmd.Flags().BoolVar(&r.on, "roofline", false, "show how near to this machine's limits each layer of --net comes, without a run")
	cmd.Flags().BoolVar(&r.train, "train", false, "with --roofline: of a training step")
	cmd.Flags().StringVar(&r.sort, "sort", "order", "with --roofline: order, time, share of the bound, or lost, the time beyond the bound")
	must(cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(sorts, cobra.ShellCompDirectiveNoFileComp)))
	return r
}

var sorts = []string{"order", "time", "share", "lost"}

func runRoofline(ctx context.Context, o *rooflineOptions) error {
	c, err := o.over(o.app.defaults())
	if err != nil {
		return usageError{err}
	}
	batch := c.LatencyBatch
	if o.flags.Changed("batch") || o.train {
		batch = c.Batch
	}
	if !slices.Contains(sorts, o.sort) {
		return usageError{fmt.Errorf("sort %q is none of %s", o.sort, strings.Join(sorts, ", "))}
	}
	g, err := nets.Build(c.Net, nets.Options{Width: c.Width})
	mode := engine.Infer
	if err == nil && o.train {
		mode = engine.Train
		g, err = g.WithLoss(c.LabelSmoothing)
	}
	if err != nil {
		return usageError{err}
	}
	return o.alone(c, func(d *device.Device) (result, error) {
		roofline, err := bench.MeasureRoofline(ctx, d, g, engine.Options{Mode: mode, Batch: batch}, bench.NetworkRule())
		sortRoofs(roofline.Calls, o.sort)
		return rooflineResult{c.Net, string(mode), batch, d.Name(), d.Info(), roofline}, err
	})
}

// sortRoofs puts first what takes longest, what is farthest from its bound, or
// what would gain most at it.
func sortRoofs(roofs []bench.Roof, by string) {
	key := map[string]func(bench.Roof) float64{
		"order": func(bench.Roof) float64 { return 0 },
		"time":  func(r bench.Roof) float64 { return -float64(r.LatencyNS) },
		"share": bench.Roof.Share,
		"lost":  func(r bench.Roof) float64 { return r.BoundNS - float64(r.LatencyNS) },
	}[by]
	slices.SortStableFunc(roofs, func(a, b bench.Roof) int { return cmp.Compare(key(a), key(b)) })
}

// rooflineResult is a roofline and what it is of.
type rooflineResult struct {
	Net     string `json:"net"`
	Mode    string `json:"mode"`
	Batch   int    `json:"batch"`
	Backend string `json:"backend"`
	engine.Info
	bench.Roofline
}

func (r rooflineResult) writeText(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, batch %d, on %s (%s)\n", r.Net, r.Mode, r.Batch, r.Backend, r.Model)
	fmt.Fprintf(w, "ceilings: %.0f GFLOP/s; by bytes touched, GB/s:\n ", r.Ceilings.FLOPS/1e9)
	for _, b := range r.Ceilings.Bandwidth {
		fmt.Fprintf(w, " %s %.0f", binary(b.Bytes), b.PerSecond/1e9)
	}
	fmt.Fprintf(w, "\nmedians of %d; of bound: what is reached of what flop or memory allow\n\n", r.Samples)

	const line = "%-20s %-21s %9s %5s %7s %7s %s\n"
	fmt.Fprintf(w, line, "layer", "call", "ms", "time", "GFLOP", "MB", "of bound")
	all := bench.Roof{Layer: "all"}
	for _, c := range r.Calls {
		all.LatencyNS, all.BoundNS = all.LatencyNS+c.LatencyNS, all.BoundNS+c.BoundNS
		all.FLOP, all.Bytes = all.FLOP+c.FLOP, all.Bytes+c.Bytes
	}
	row := func(c bench.Roof, by string) error {
		call, _, _ := strings.Cut(c.Call, "/")
		_, err := fmt.Fprintf(w, line, tail(c.Layer, 20), head(call, 21), fmt.Sprintf("%.3f", float64(c.LatencyNS)/1e6),
			fmt.Sprintf("%.1f%%", 100*float64(c.LatencyNS)/float64(all.LatencyNS)), fmt.Sprintf("%.3f", float64(c.FLOP)/1e9), fmt.Sprintf("%.2f", float64(c.Bytes)/1e6),
			strings.TrimRight(fmt.Sprintf("%3.0f%% %s", 100*c.Share(), by), " "))
		return err
	}
	for _, c := range r.Calls {
		by := "flop"
		if c.Memory {
			by = "mem"
		}
		if err := row(c, by); err != nil {
			return err
		}
	}
	return row(all, "")
}

// binary is such as 64K or 16M.
func binary(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%dK", bytes>>10)
	}
	return fmt.Sprintf("%dM", bytes>>20)
}

// head and tail are the ends of a name that is too long.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-1] + "…"
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return "…" + s[len(s)-n+1:]
}
