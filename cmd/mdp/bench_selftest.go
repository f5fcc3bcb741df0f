package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mdp/bench"
	"mdp/engine/device"
	"mdp/prune"
)

// selfTestOptions are the flags of mdp bench that belong to --selftest.
type selfTestOptions struct {
	*runOptions
	on bool
}

func newSelfTestOptions(o *runOptions, cmd *cobra.Command) *selfTestOptions {
	s := &selfTestOptions{runOptions: o}
	cmd.Flags().BoolVar(&s.on, "selftest", false, "measure calls of known cost: the instrument's bias and repeatability")
	return s
}

func runSelfTest(ctx context.Context, o *selfTestOptions) error {
	c, err := o.over(o.app.defaults())
	if err != nil {
		return usageError{err}
	}
	on := device.Options{Name: c.Device, Precision: c.Precision, Threads: c.Threads, ISA: c.ISA}
	if err := cmp.Or(on.Check(), c.Check()); err != nil {
		return usageError{err}
	}
	d, err := device.Open(on)
	if err != nil {
		return err
	}
	release, err := bench.Exclude(d.Place)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	defer release()
	tell, done := narrate(o.stderr, o.quiet, 1)
	event := prune.Event{Stage: prune.StageBench, Kind: prune.Begin, Text: "self-test"}
	tell(event)
	t, err := bench.Test(ctx, d, func(done, total int) {
		tell(prune.Event{Stage: event.Stage, Kind: prune.Progress, Done: done, Total: total, Unit: "repeats"})
	})
	if err == nil {
		event.Kind = prune.End
		tell(event)
	}
	done()
	r := selfTest{Machine: d.Info().Model, Backend: d.Name(), SelfTest: t}
	if errors.Is(err, context.Canceled) {
		err = errors.New("stopped; a self-test keeps nothing")
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	return o.print(r, o.json)
}

type selfTest struct {
	Machine string `json:"machine"`
	Backend string `json:"backend"`
	bench.SelfTest
}

func (t selfTest) writeText(w io.Writer) error {
	us := func(ns int64) string { return fmt.Sprintf("%.3f", float64(ns)/1e3) }
	percent := func(share float64) string { return fmt.Sprintf("%.2f", 100*share) }
	stated := ""
	if t.StatedMHz > 0 {
		stated = fmt.Sprintf(", at most %d by the driver", t.StatedMHz)
	}
	err := table(w, [][]string{
		{"machine", t.Machine},
		{"backend", t.Backend},
		{"empty call", fmt.Sprintf("%s µs, %s to %s", us(t.EmptyNS.MedianNS), us(t.EmptyNS.LowNS), us(t.EmptyNS.HighNS))},
		{"clock", fmt.Sprintf("%.0f MHz by spins%s", t.ClockMHz, stated)},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	rows := [][]string{{"call", "median µs", "bias %", "spread %", "GB/s"}}
	for _, p := range t.Probes {
		bias, rate := "–", "–"
		if p.Cycles > 0 {
			bias = percent(p.Bias)
		} else {
			rate = fmt.Sprintf("%.1f", p.GBPS)
		}
		rows = append(rows, []string{p.Call, us(p.MedianNS), bias, percent(p.Spread), rate})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	bias, spread := t.Bias()
	_, err = fmt.Fprintf(w, "\nBias at most %s %%, repeats within ±%s %%; in a call of less than %v\nmore than 1 %% is the instrument's own.\n",
		percent(bias), percent(spread), t.Shortest(0.01).Round(time.Microsecond/10))
	return err
}
