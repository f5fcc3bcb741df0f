package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWidth is the most columns a table takes, however wide the terminal.
const maxWidth = 80

// column is one column of the terminal table.
type column struct {
	head  string
	width int
	cell  func(Network) string
}

// columns are the figures beside a network's name, right-aligned.
var columns = []column{
	{"acc %", 6, func(n Network) string { return percent(n.Accuracy) }},
	{"params", 7, func(n Network) string { return si(n.Parameters) }},
	{"MACs", 7, func(n Network) string { return si(n.MACs) }},
	{"predicted ms", 12, func(n Network) string { return milliseconds(n.PredictedMS) }},
	{"measured ms", 11, func(n Network) string { return milliseconds(n.MeasuredMS) }},
	{"speed-up", 8, func(n Network) string { return speedup(n.Speedup) }},
}

// WriteTable writes the networks as a plain table at most width and 80
// columns wide, then what they take on further devices, the expectations, each "ok" or "MISSED", and the notes.
// A width of 0 or less is 80; one too narrow for every column drops the last.
func WriteTable(w io.Writer, r Run, width int) error {
	r = clean(r)
	if width <= 0 || width > maxWidth {
		width = maxWidth
	}
	var b strings.Builder
	shown, label := fit(width)
	row := func(name string, cell func(column) string) {
		line := left(name, label)
		for _, c := range shown {
			line += "  " + right(cell(c), c.width)
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	row("network", func(c column) string { return c.head })
	for _, n := range r.Networks {
		row(strings.TrimSpace(n.Name+" "+n.Budget), func(c column) string { return c.cell(n) })
	}
	if len(r.Networks) == 0 {
		fmt.Fprintln(&b, "(no network yet)")
	}
	if elsewhere := further(r.Solutions); len(elsewhere) > 0 {
		fmt.Fprintln(&b)
		for _, f := range elsewhere {
			paragraph(&b, f, 8, width)
		}
	}
	if len(r.Expectations)+len(r.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	for _, x := range r.Expectations {
		paragraph(&b, fmt.Sprintf("%-6s  %s: %s", x.Status(), x.Text, x.Outcome()), 8, width)
	}
	for _, n := range r.Notes {
		paragraph(&b, "note    "+n, 8, width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// further says what each answer takes on other devices, one sentence each.
func further(solutions []Solution) (all []string) {
	for _, s := range solutions {
		for _, f := range s.Further {
			all = append(all, fmt.Sprintf("%-6s  predicted %s ms on %s, budget %s ms (%s)", s.Budget, digits(f.LatencyMS), f.Name, digits(f.BudgetMS), f.Budget))
		}
	}
	return all
}

// fit returns the columns that width has room for and the width of the name.
func fit(width int) (shown []column, label int) {
	const least = 16 // "fine-tuned 0.35x"
	for n := len(columns); n > 0; n-- {
		left := width
		for _, c := range columns[:n] {
			left -= 2 + c.width
		}
		if left >= least {
			return columns[:n], min(left, 24)
		}
	}
	return nil, width
}

// left pads s to width, or cuts it with an ellipsis.
func left(s string, width int) string {
	s = cut(s, width)
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}

// right is left, aligned to the other side.
func right(s string, width int) string {
	s = cut(s, width)
	return strings.Repeat(" ", width-utf8.RuneCountInString(s)) + s
}

// cut makes s safe for a terminal and at most width runes long.
func cut(s string, width int) string {
	s = plain(s)
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// plain replaces what a terminal would obey rather than show.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
}

// paragraph writes text broken at spaces into lines of at most width runes;
// all but the first are indented.
func paragraph(b *strings.Builder, text string, indent, width int) {
	if width < 2*indent {
		indent = 0
	}
	line := []rune(plain(text))
	for len(line) > width {
		at := width
		for at > indent && line[at] != ' ' {
			at--
		}
		if at <= indent {
			at = width
		}
		fmt.Fprintln(b, strings.TrimRight(string(line[:at]), " "))
		rest := strings.TrimLeft(string(line[at:]), " ")
		line = []rune(strings.Repeat(" ", indent) + rest)
	}
	fmt.Fprintln(b, string(line))
}
