package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"mdp/prune"
)

// narrate returns who tells how a run goes on, to a terminal or to anything
// else, and what to call when it is over. quiet tells nothing.
func narrate(w io.Writer, quiet bool, batch int) (tell func(prune.Event), done func()) {
	switch {
	case quiet:
		return func(prune.Event) {}, func() {}
	case isTerminal(w) && os.Getenv("TERM") != "dumb":
		b := bars{container: mpb.New(mpb.WithOutput(w)), batch: batch}
		return b.tell, b.close
	}
	l := lines{w: w, batch: batch}
	return l.tell, func() {}
}

// isTerminal tells whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is the width of the terminal that w is, 80 where it is none.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// lines tells in plain lines: where a stage begins and ends, and in between
// at most one every ten seconds.
type lines struct {
	w     io.Writer
	batch int
	at    *progress
	said  time.Time
}

const between = 10 * time.Second

func (l *lines) tell(e prune.Event) {
	now := time.Now()
	switch e.Kind {
	case prune.Begin:
		l.at, l.said = begin(e, l.batch, now), now
		fmt.Fprintf(l.w, "%-*s  begins\n", nameWidth, l.at.name)
	case prune.Progress:
		l.at.update(e, now)
		if now.Sub(l.said) >= between {
			l.said = now
			fmt.Fprintln(l.w, l.at.line(now))
		}
	default:
		fmt.Fprintln(l.w, remark(e, l.at, now))
	}
}

// bars draws the stage under way on a terminal's last line and tells above it
// what is done.
type bars struct {
	container *mpb.Progress
	batch     int

	mu  sync.Mutex // the container draws in its own time
	at  *progress
	bar *mpb.Bar
}

func (b *bars) tell(e prune.Event) {
	now := time.Now()
	switch e.Kind {
	case prune.Begin:
		b.mu.Lock()
		b.at = begin(e, b.batch, now)
		b.mu.Unlock()
		b.bar, _ = b.container.Add(0, mpb.BarFillerFunc(b.draw), mpb.BarFillerTrim()) // fails only after close
	case prune.Progress:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.at.update(e, now)
	case prune.End:
		b.drop()
		fallthrough
	default:
		fmt.Fprintln(b.container, remark(e, b.at, now))
	}
}

func (b *bars) draw(w io.Writer, s decor.Statistics) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := io.WriteString(w, "\r"+b.at.bar(s.AvailableWidth, time.Now())) // \r: the terminal may have echoed ^C
	return err
}

func (b *bars) drop() {
	if b.bar != nil {
		b.bar.Abort(true)
		b.bar.Wait()
	}
}

func (b *bars) close() {
	b.drop()
	b.container.Wait()
}
