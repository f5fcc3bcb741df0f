package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"mdp/bench"
	"mdp/engine/device"
	"mdp/prune"
)

func runSelfTest(ctx context.Context, o *runOptions) error {
	c, err := o.over(o.app.defaults())
	if err != nil {
		return usageError{err}
	}
	return o.alone(c, func(d *device.Device) (result, error) {
		tell, done := narrate(o.stderr, o.quiet, 1)
		defer done()
		event := prune.Event{Stage: prune.StageBench, Kind: prune.Begin, Text: "self-test"}
		tell(event)
		t, err := bench.Test(ctx, d, func(done, total int) {
			tell(prune.Event{Stage: event.Stage, Kind: prune.Progress, Done: done, Total: total, Unit: "repeats"})
		})
		if err == nil {
			event.Kind = prune.End
			tell(event)
		}
		return selfTest{Machine: d.Info().Model, Backend: d.Name(), SelfTest: t}, err
	})
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
