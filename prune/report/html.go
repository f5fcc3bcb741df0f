package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
)

var (
	//go:embed page.tmpl
	pageText string

	//go:embed style.tmpl
	styleText string // of every page
)

// WriteHTML writes the run as one page that asks for nothing else: style and
// plots are in it.
func WriteHTML(w io.Writer, r Run) error {
	p, err := newPage(clean(r))
	if err != nil {
		return err
	}
	return execute(w, pageText, p)
}

// execute writes a page, whole or nothing of it.
func execute(w io.Writer, text string, of any) error {
	importance := func(v, dense float64) string { // as the front's axis has it
		if dense > 0 {
			return scaled(&v, 100/dense, "%.2f")
		}
		return digits(v)
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"percent": percent, "digits": digits, "ms": milliseconds, "times": times, "count": si, "seconds": seconds, "importance": importance,
		"share": func(v *float64) string { return scaled(v, 100, "%.2g") },
	}).Parse(styleText + text)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, of); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// page is what the template shows.
type page struct {
	Run
	Budgets          []string
	Answers          []answer
	Missed           []Expectation
	Rows             []networkRow
	Front, Agreement template.HTML
	Curves           template.HTML
	Legend           []legend
	Gains            gains
	Elsewhere        bool // the run has further devices
	Widths           []template.HTML
	LayerRows        []layerRow
	Machine          []fact
	TotalSeconds     float64
}

// answer is the run's result for one budget.
type answer struct {
	Budget, Speedup, Than, Accuracy, Parameters, Latency string
	Ink                                                  template.CSS
}

// networkRow is a network with what follows from comparing it.
type networkRow struct {
	Network
	Points, ErrorPct string
	Bad              bool // predicted too far from measured
}

type layerRow struct {
	Name, Block string
	Dense       int
	Kept        []string // by budget
}

type fact struct{ Name, Value string }

type legend struct {
	Name string
	Ink  template.CSS
}

func newPage(r Run) (page, error) {
	p := page{Run: r, Budgets: budgets(r), Gains: newGains(r.Solutions), Machine: facts(r)}
	for _, x := range r.Expectations {
		if !x.OK {
			p.Missed = append(p.Missed, x)
		}
	}
	for i, b := range p.Budgets {
		if n := emitted(r.Networks, b); n != nil {
			p.Answers = append(p.Answers, newAnswer(r, *n, i))
		}
	}
	for _, n := range r.Networks {
		p.Rows = append(p.Rows, newNetworkRow(r, n))
	}
	for _, c := range r.Accuracy {
		p.Legend = append(p.Legend, legend{c.Name, variable(curveInk(c, p.Budgets))})
	}
	for _, l := range r.Layers {
		row := layerRow{Name: l.Name, Block: l.Block, Dense: l.Dense}
		for _, b := range p.Budgets {
			row.Kept = append(row.Kept, keptText(l, b))
		}
		p.LayerRows = append(p.LayerRows, row)
	}
	p.Elsewhere = len(further(r.Solutions)) > 0
	for _, s := range r.Steps {
		p.TotalSeconds = orZero(p.TotalSeconds + s.Seconds)
	}
	return p, p.draw()
}

// draw fills in the plots that the run has figures for.
func (p *page) draw() error {
	id := 0
	inline := func(f figure, ok bool) (template.HTML, error) {
		if !ok {
			return "", nil
		}
		id++
		var b strings.Builder
		err := f.write(&b, "plot"+strconv.Itoa(id))
		return template.HTML(b.String()), err // every text in it was escaped
	}
	var err error
	if p.Front, err = inline(frontFigure(p.Run)); err != nil {
		return err
	}
	if p.Agreement, err = inline(agreementFigure(p.Run)); err != nil {
		return err
	}
	if p.Curves, err = inline(curvesFigure(p.Run)); err != nil {
		return err
	}
	for i, b := range p.Budgets {
		svg, err := inline(widthsFigure(p.Run, b, seriesInk(i)))
		if err != nil {
			return err
		}
		if svg != "" {
			p.Widths = append(p.Widths, svg)
		}
	}
	return nil
}

func newAnswer(r Run, n Network, i int) answer {
	a := answer{Budget: n.Budget, Speedup: times(n.Speedup), Ink: variable(seriesInk(i))}
	switch {
	case n.Speedup == nil:
		a.Than = "speed-up not measured"
	case *n.Speedup < 1:
		a.Than = "the dense speed"
	default:
		a.Than = "faster"
	}
	if n.MeasuredMS != nil {
		a.Latency = digits(*n.MeasuredMS) + " ms measured" + againstBudget(n)
	}
	dense := find(r.Networks, Dense, "")
	if dense == nil {
		return a
	}
	if lost := pointsBelow(dense.Accuracy, n.Accuracy); lost != nil {
		a.Accuracy = "accuracy " + signed(-*lost) + " points"
	}
	if dense.Parameters > 0 && n.Parameters > 0 {
		a.Parameters = fmt.Sprintf("%.0f %% of the parameters", 100*float64(n.Parameters)/float64(dense.Parameters))
	}
	return a
}

// againstBudget says by how much the measured latency missed the budget, if it did.
func againstBudget(n Network) string {
	over := ratio(n.MeasuredMS, n.BudgetMS)
	switch {
	case over == nil:
		return ""
	case *over > 1:
		return ", " + scaled(new(*over-1), 100, "%.1f") + " % over budget"
	default:
		return ", within budget"
	}
}

func newNetworkRow(r Run, n Network) networkRow {
	row := networkRow{Network: n, Points: unknown, ErrorPct: unknown}
	if dense := find(r.Networks, Dense, ""); dense != nil && n.Name != Dense {
		if lost := pointsBelow(dense.Accuracy, n.Accuracy); lost != nil {
			row.Points = signed(-*lost)
		}
	}
	if e := errorPct(n.PredictedMS, n.MeasuredMS); e != nil {
		row.ErrorPct = signed(math.Copysign(*e, *n.PredictedMS-*n.MeasuredMS))
		row.Bad = *e > predictionErrorPct
	}
	return row
}

func keptText(l LayerWidth, budget string) string {
	switch kept, known := l.Kept[budget]; {
	case !known:
		return unknown
	case kept <= 0:
		return "removed"
	default:
		return strconv.Itoa(kept)
	}
}

// facts is the machine and the settings, without what is not known.
func facts(r Run) (out []fact) {
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	m := r.Machine
	add("device", m.Device)
	add("GPU", m.GPU)
	add("CPU", m.CPU)
	if m.Threads > 0 {
		add("threads", strconv.Itoa(m.Threads))
	}
	add("kernels", m.ISA)
	add("system", m.OS)
	add("build", strings.TrimSpace(m.Version+" "+m.Go))
	if r.Batch > 0 {
		add("batch", strconv.Itoa(r.Batch))
	}
	add("seed", strconv.FormatUint(r.Seed, 10))
	return out
}

func variable(k ink) template.CSS { return template.CSS("var(" + k.css + ")") }

// times writes a ratio for the page: "1.97×".
func times(v *float64) string { return scaled(v, 1, "%.2f×") }
