package main

import (
	"fmt"
	"io"
	"time"

	"mdp/prune/solve"
)

// watch returns who tells how a solve goes on, and what to call when it is over.
// A terminal has one line that changes, anything else a line every ten seconds;
// a solve of milliseconds has none.
func watch(w io.Writer, quiet bool) (tell func(solve.Progress), done func()) {
	if quiet {
		return nil, func() {}
	}
	every, begin, end := between, "", "\n"
	if isTerminal(w) {
		every, begin, end = 200*time.Millisecond, "\r", "\x1b[K"
	}
	began := time.Now()
	said, told := began, false
	tell = func(p solve.Progress) {
		if now := time.Now(); now.Sub(said) >= every {
			said, told = now, true
			fmt.Fprint(w, begin, cut(solveLine(p, now.Sub(began)), columns(w)-1), end)
		}
	}
	return tell, func() {
		if told && begin != "" {
			fmt.Fprint(w, begin, end)
		}
	}
}

// solveLine is a step of a solve in words.
func solveLine(p solve.Progress, after time.Duration) string {
	if p.Points > 0 {
		return fmt.Sprintf("solve  %s  %d points, up to latency %d", clock(after), p.Points, p.Latency)
	}
	return fmt.Sprintf("solve  %s  best %d, bound %d, %d partial choices", clock(after), p.Objective, p.Bound, p.Labels)
}
