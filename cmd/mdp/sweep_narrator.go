package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"mdp/prune/sweep"
)

// narrateSweep is narrate for a sweep: what begins and ends as lines, and on a
// terminal what each device is at below them.
func narrateSweep(w io.Writer, quiet bool) (tell func(sweep.Event), done func()) {
	switch {
	case quiet:
		return func(sweep.Event) {}, func() {}
	case isTerminal(w) && os.Getenv("TERM") != "dumb":
		b := sweepBars{container: mpb.New(mpb.WithOutput(w)), runs: map[string]*runBar{}}
		return b.tell, b.container.Wait
	}
	return func(e sweep.Event) {
		if s := sweepRemark(e); s != "" {
			fmt.Fprintln(w, s)
		}
	}, func() {}
}

// sweepRemark is what is said of an event; "" is nothing.
func sweepRemark(e sweep.Event) string {
	tally := fmt.Sprintf("  %d of %d", e.Tally.Done, e.Tally.Total)
	if e.Tally.Failed > 0 {
		tally += fmt.Sprintf(", %d failed", e.Tally.Failed)
	}
	if e.Tally.Left > 0 {
		tally += ", " + clock(e.Tally.Left) + " left"
	}
	switch e.Kind {
	case sweep.Skip:
		return "skipped  " + e.Job.Name + ": it is done"
	case sweep.Begin:
		return "begins   " + e.Job.Name + " on " + e.Device
	case sweep.Finish:
		return "done     " + e.Job.Name + tally
	case sweep.Retry:
		return "failed   " + e.Job.Name + ": " + e.Text + "; it is tried again after the others"
	case sweep.GiveUp:
		return "failed   " + e.Job.Name + tally + ": " + e.Text
	}
	return ""
}

// sweepBars keeps a line for each run under way at the end of a terminal.
type sweepBars struct {
	container *mpb.Progress
	runs      map[string]*runBar
}

// runBar is a run's line: its device, its name and what it said last.
type runBar struct {
	bar  *mpb.Bar
	head string

	mu   sync.Mutex // the container draws in its own time
	text string
}

func (b *sweepBars) tell(e sweep.Event) {
	switch e.Kind {
	case sweep.Begin:
		r := &runBar{head: fmt.Sprintf("%-8s %s  ", e.Device, e.Job.Name)}
		r.bar, _ = b.container.Add(0, mpb.BarFillerFunc(r.draw), mpb.BarFillerTrim()) // fails only after Wait
		b.runs[e.Job.Name] = r
		return
	case sweep.Say:
		r := b.runs[e.Job.Name]
		r.mu.Lock()
		defer r.mu.Unlock()
		r.text = strings.Join(strings.Fields(e.Text), " ")
		return
	case sweep.Finish, sweep.Retry, sweep.GiveUp, sweep.Stopped:
		r := b.runs[e.Job.Name]
		r.bar.Abort(true)
		r.bar.Wait()
	}
	if s := sweepRemark(e); s != "" {
		fmt.Fprintln(b.container, s)
	}
}

func (r *runBar) draw(w io.Writer, s decor.Statistics) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := io.WriteString(w, "\r"+cut(r.head+r.text, s.AvailableWidth))
	return err
}
