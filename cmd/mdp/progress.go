package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"mdp/prune"
)

// progress is how far a stage has come.
type progress struct {
	name        string // of the stage, and the budget it is about
	images      int    // that one unit stands for; 0 where a rate in images means nothing
	began       time.Time
	done, total int
	unit, text  string

	from   int // done when the rate's clock started
	fromAt time.Time
}

// stageName names a stage and the network it is about.
func stageName(e prune.Event) string {
	if e.Kind == prune.Remark || e.Text == "" {
		return string(e.Stage)
	}
	return string(e.Stage) + " " + e.Text
}

// begin starts to follow the stage that e begins. A training step, or a scoring
// batch, is of batch images.
func begin(e prune.Event, batch int, now time.Time) *progress {
	p := &progress{name: stageName(e), began: now}
	switch e.Stage {
	case prune.StageTrain, prune.StageFineTune, prune.StageScore:
		p.images = batch
	}
	return p
}

// update takes a Progress event. The rate counts from the first one: a stage
// that goes on where it stopped did not do the rest just now.
func (p *progress) update(e prune.Event, now time.Time) {
	if p.total == 0 {
		p.from, p.fromAt = e.Done, now
	}
	p.done, p.total, p.unit, p.text = e.Done, e.Total, e.Unit, e.Text
}

// perSecond is the rate so far, 0 while it is not known.
func (p *progress) perSecond(now time.Time) float64 {
	if seconds := now.Sub(p.fromAt).Seconds(); p.total > 0 && seconds > 0 {
		return float64(p.done-p.from) / seconds
	}
	return 0
}

// rate and left are words for a person; "" while they are not known.
func (p *progress) rate(now time.Time) string {
	r := p.perSecond(now)
	switch {
	case r <= 0:
		return ""
	case p.images > 0:
		return fmt.Sprintf("%.0f images/s", r*float64(p.images))
	}
	return fmt.Sprintf("%.1f/s", r)
}

func (p *progress) left(now time.Time) string {
	r := p.perSecond(now)
	if r <= 0 || p.done >= p.total {
		return ""
	}
	return clock(time.Duration(float64(p.total-p.done)/r*float64(time.Second))) + " left"
}

// count is "118/936 steps", as wide as it gets from the start.
func (p *progress) count() string {
	total := fmt.Sprint(p.total)
	return fmt.Sprintf("%*d/%s %s", len(total), p.done, total, p.unit)
}

// nameWidth is the column that names of stages take.
const nameWidth = len("finetune 0.35x")

// line is the progress in plain words.
func (p *progress) line(now time.Time) string {
	parts := []string{p.count()}
	for _, s := range []string{p.rate(now), p.left(now), p.text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return fmt.Sprintf("%-*s  %s", nameWidth, p.name, strings.Join(parts, ", "))
}

// bar is the progress drawn in at most width columns.
func (p *progress) bar(width int, now time.Time) string {
	name := fmt.Sprintf("%-*s  ", nameWidth, p.name)
	if p.total == 0 {
		return cut(name+clock(now.Sub(p.began)), width)
	}
	figures := fmt.Sprintf("  %s  %13s  %12s", p.count(), p.rate(now), p.left(now))
	room := min(width-utf8.RuneCountInString(name+figures), 40)
	if room < 6 {
		return cut(name+figures[2:], width)
	}
	inside := room - 2
	full := inside * p.done / p.total
	line := name + "[" + strings.Repeat("=", full) + strings.Repeat(" ", inside-full) + "]" + figures
	if p.text != "" && utf8.RuneCountInString(line+p.text)+2 <= width {
		line += "  " + p.text
	}
	return line
}

func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width)])
}

// clock writes a duration as 0:42, 12:05 or 1:02:03.
func clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// remark is what is said of an event that is no progress; "" is nothing.
func remark(e prune.Event, p *progress, now time.Time) string {
	say := func(name, text string) string { return fmt.Sprintf("%-*s  %s", nameWidth, name, text) }
	switch e.Kind {
	case prune.Skip:
		return say(stageName(e), "skipped: nothing it depends on has changed")
	case prune.End:
		return say(p.name, fmt.Sprintf("done in %.1f s", now.Sub(p.began).Seconds()))
	case prune.Remark:
		return say(string(e.Stage), e.Text)
	}
	return ""
}
