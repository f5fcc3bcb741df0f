package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed sweep.tmpl
var sweepText string

// WriteSweepHTML writes the sweep as one page that asks for nothing else. A run's
// name is the folder, beside the page, with its own.
func WriteSweepHTML(w io.Writer, s Sweep) error {
	p := sweepPage{Sweep: s, Rows: s.rows()}
	for _, r := range s.Runs {
		switch r.State {
		case "done":
			p.Done++
		case "failed":
			p.Failed = append(p.Failed, r)
		}
		p.Seconds = orZero(p.Seconds + r.Seconds)
	}
	f, ok := sweepFigure(s, p.Rows)
	if ok {
		var b strings.Builder
		if err := f.write(&b, "plot"); err != nil {
			return err
		}
		p.Figure = template.HTML(b.String()) // every text in it was escaped
		for i, v := range firstValues(s) {
			p.Legend = append(p.Legend, legend{v, variable(seriesInk(i))})
		}
	}
	return execute(w, sweepText, p)
}

// sweepPage is what the template shows.
type sweepPage struct {
	Sweep
	Rows    []sweepRow
	Done    int
	Failed  []SweepRun
	Seconds float64 // of every run's last attempt
	Figure  template.HTML
	Legend  []legend
}

// sweepFigure is accuracy over speed-up: comparable over networks and devices,
// as each is of its own dense network. A colour is a value of the first axis.
func sweepFigure(s Sweep, rows []sweepRow) (figure, bool) {
	values := firstValues(s)
	p := newPlot("speed-up over the dense network", "accuracy, %")
	shown, named := 0, map[string]bool{}
	for _, r := range rows {
		if r.Accuracy == nil || r.Speedup == nil || !drawable(*r.Speedup) || !drawable(*r.Accuracy) {
			continue
		}
		of := 0
		if len(r.Run.Values) > 0 {
			of = slices.Index(values, r.Run.Values[0])
		}
		name := r.Budget
		if at := fmt.Sprint(of, name); named[at] { // those of other seeds lie near it
			name = ""
		} else {
			named[at] = true
		}
		p.Add(marker{*r.Speedup, 100 * *r.Accuracy, name, seriesInk(of), false})
		shown++
	}
	if shown == 0 {
		return figure{}, false
	}
	p.X.Min, p.X.Max = min(1, p.X.Min), p.X.Max*1.04
	p.Y.Min, p.Y.Max = p.Y.Min-0.5, min(100, p.Y.Max+0.5)
	return figure{
		title: "Accuracy over speed-up",
		desc:  fmt.Sprintf("%d networks from the budgets of %d runs.", shown, len(s.Runs)),
		width: plotWidth, height: plotHeight, draw: p.Draw,
	}, true
}

// firstValues are those of the first axis, in the order in which they appear.
func firstValues(s Sweep) (values []string) {
	for _, r := range s.Runs {
		if len(r.Values) > 0 && !slices.Contains(values, r.Values[0]) {
			values = append(values, r.Values[0])
		}
	}
	return values
}
