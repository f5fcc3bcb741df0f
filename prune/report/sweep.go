package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sweep is what many runs came to.
type Sweep struct {
	Title string     `json:"title"`
	Date  time.Time  `json:"date,omitzero"`
	Axes  []string   `json:"axes"` // in which the runs differ
	Runs  []SweepRun `json:"runs"`
}

// SweepRun is one of them.
type SweepRun struct {
	Name     string    `json:"name"`
	Values   []string  `json:"values"` // of the axes
	State    string    `json:"state"`  // done, failed, waiting, running
	Device   string    `json:"device,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Error    string    `json:"error,omitempty"`
	Seconds  float64   `json:"seconds,omitempty"`
	Networks []Network `json:"networks,omitempty"` // of a run that is done
}

// sweepRow is a run's result for one budget, or what kept it from having one.
type sweepRow struct {
	Run    SweepRun
	Budget string
	Dense  Network
	Network
	alone bool // the run has no other
}

// rows lists every run's networks, by budget.
func (s Sweep) rows() (out []sweepRow) {
	for _, r := range s.Runs {
		c := clean(Run{Networks: r.Networks})
		row := sweepRow{Run: r}
		if dense := find(c.Networks, Dense, ""); dense != nil {
			row.Dense = *dense
		}
		of := budgets(c)
		row.alone = len(of) < 2
		if len(of) == 0 {
			out = append(out, row)
		}
		for _, b := range of {
			if n := emitted(c.Networks, b); n != nil {
				row.Budget, row.Network = b, *n
				out = append(out, row)
			}
		}
	}
	return out
}

// label names the row: by its run, and by its budget where the run has several.
func (r sweepRow) label() string {
	if r.alone {
		return r.Run.Name
	}
	return r.Run.Name + " " + r.Budget
}

// squeeze keeps both ends of what is longer than width: names differ in either.
func squeeze(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width/2]) + "…" + string(r[len(r)-(width-width/2-1):])
}

// points is the accuracy gained on dense, in points.
func (r sweepRow) points() *float64 {
	lost := pointsBelow(r.Dense.Accuracy, r.Accuracy)
	if lost == nil {
		return nil
	}
	return new(-*lost)
}

// Points writes it.
func (r sweepRow) Points() string {
	if p := r.points(); p != nil {
		return signed(*p)
	}
	return unknown
}

// WriteSweepJSON writes the sweep for machines, indented for people.
func WriteSweepJSON(w io.Writer, s Sweep) error {
	s.Runs = slices.Clone(s.Runs)
	for i := range s.Runs {
		s.Runs[i].Networks = clean(Run{Networks: s.Runs[i].Networks}).Networks
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// WriteSweepCSV writes a row for each run and budget, with every digit. What is
// not known is empty.
func WriteSweepCSV(w io.Writer, s Sweep) error {
	c := csv.NewWriter(w)
	head := append([]string{"run"}, s.Axes...)
	head = append(head, "state", "device", "seconds", "budget", "dense_accuracy", "accuracy", "change_points", "parameters", "macs",
		"dense_ms", "budget_ms", "predicted_ms", "measured_ms", "speedup", "error")
	if err := c.Write(head); err != nil {
		return err
	}
	number := func(v *float64) string {
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'g', -1, 64)
	}
	count := func(n int64) string {
		if n <= 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	for _, r := range s.rows() {
		row := append([]string{r.Run.Name}, r.Run.Values...)
		row = append(row, r.Run.State, r.Run.Device, strconv.FormatFloat(r.Run.Seconds, 'f', 1, 64), r.Budget, number(r.Dense.Accuracy), number(r.Accuracy),
			number(r.points()), count(r.Parameters), count(r.MACs), number(r.Dense.MeasuredMS), number(r.BudgetMS),
			number(r.PredictedMS), number(r.MeasuredMS), number(r.Speedup), r.Run.Error)
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// sweepColumns are the figures of the terminal's table.
var sweepColumns = []struct {
	head  string
	width int
	cell  func(sweepRow) string
}{
	{"acc %", 6, func(r sweepRow) string { return percent(r.Accuracy) }},
	{"change", 7, func(r sweepRow) string { return r.Points() }},
	{"speed-up", 8, func(r sweepRow) string { return speedup(r.Speedup) }},
	{"ms", 6, func(r sweepRow) string { return milliseconds(r.MeasuredMS) }},
	{"params", 7, func(r sweepRow) string { return si(r.Parameters) }},
}

// WriteSweepTable writes a line for each run and budget, at most width columns
// wide: accuracy, its change on the dense network in points, speed-up, latency,
// parameters. Where names are long, the last columns go.
func WriteSweepTable(w io.Writer, s Sweep, width int) error {
	if width <= 0 || width > 120 {
		width = 120
	}
	shown, label, figures := sweepColumns, len("run"), 0
	for _, r := range s.rows() {
		label = max(label, len([]rune(r.label())))
	}
	for _, c := range shown {
		figures += 2 + c.width
	}
	for ; len(shown) > 3 && label+figures > width; shown = shown[:len(shown)-1] {
		figures -= 2 + shown[len(shown)-1].width
	}
	label = max(16, min(label, width-figures))
	var b bytes.Buffer
	line := left("run", label)
	for _, c := range shown {
		line += "  " + right(c.head, c.width)
	}
	fmt.Fprintln(&b, line)
	for _, r := range s.rows() {
		line := left(squeeze(r.label(), label), label)
		if r.Budget == "" {
			fmt.Fprintln(&b, cut(strings.TrimRight(line+"  "+strings.TrimSpace(r.Run.State+"  "+r.Run.Error), " "), max(width, label)))
			continue
		}
		for _, c := range shown {
			line += "  " + right(c.cell(r), c.width)
		}
		fmt.Fprintln(&b, line)
	}
	_, err := w.Write(b.Bytes())
	return err
}
