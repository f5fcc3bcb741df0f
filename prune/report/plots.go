package report

import (
	"fmt"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The size of a plot, in the SVG's own units: it fills half a desktop page or
// the whole of a phone's with letters of a readable size on both.
const plotWidth, plotHeight = vg.Length(430), vg.Length(300)

// FrontSVG writes the trade-off curve with its chosen budgets as an SVG file.
func FrontSVG(w io.Writer, r Run) error {
	f, ok := frontFigure(clean(r))
	if !ok {
		return fmt.Errorf("front SVG: the run has no front: solve it for every budget first")
	}
	return f.write(w, "")
}

// frontFigure is importance over predicted latency, with every budget's choice.
func frontFigure(r Run) (figure, bool) {
	var curve plotter.XYs
	scale, yLabel := 1.0, "importance kept"
	if r.DenseImportance > 0 {
		scale, yLabel = 100/r.DenseImportance, "importance kept, % of dense"
	}
	for _, p := range r.Front {
		if x, y := p.LatencyMS, p.Importance*scale; drawable(x) && drawable(y) {
			curve = append(curve, plotter.XY{X: x, Y: y})
		}
	}
	if len(curve) == 0 {
		return figure{}, false
	}
	p := newPlot("predicted latency, ms", yLabel)
	p.Add(lines(curve, line(series[0], 1.8)))
	p.X.Min, p.Y.Min = min(0, p.X.Min), min(0, p.Y.Min)
	p.X.Max, p.Y.Max = p.X.Max*1.04, p.Y.Max*1.06
	for i, s := range r.Solutions {
		x, y := s.LatencyMS, s.Importance*scale
		if !drawable(x) || !drawable(y) || !drawable(s.BudgetMS) {
			continue
		}
		p.Add(upright{x: s.BudgetMS, style: line(seriesInk(i), 1, 4, 3)},
			marker{x, y, s.Budget, seriesInk(i), i%2 == 1})
		p.X.Max = max(p.X.Max, s.BudgetMS)
	}
	return figure{
		title: "Importance kept at every latency",
		desc: fmt.Sprintf("The trade-off curve of %d networks from %s to %s ms; %d budgets are marked.",
			len(curve), digits(curve[0].X), digits(curve[len(curve)-1].X), len(r.Solutions)),
		width: plotWidth, height: plotHeight, draw: p.Draw,
	}, true
}

// agreementFigure is measured over predicted latency of dense and every
// emitted network, with the band that predictions are held to.
func agreementFigure(r Run) (figure, bool) {
	const within = predictionErrorPct / 100
	networks := []*Network{find(r.Networks, Dense, "")}
	for _, b := range budgets(r) {
		networks = append(networks, emitted(r.Networks, b))
	}
	p := newPlot("predicted, ms", "measured, ms")
	shown, outside, most := 0, 0, 0.0
	for i, n := range networks {
		if n == nil || n.PredictedMS == nil || n.MeasuredMS == nil || !drawable(*n.PredictedMS) || !drawable(*n.MeasuredMS) {
			continue
		}
		label, k := Dense, series[0]
		if i > 0 {
			label, k = n.Budget, seriesInk(i-1)
		}
		if e := errorPct(n.PredictedMS, n.MeasuredMS); e == nil || *e > predictionErrorPct {
			outside++
			k = missed
		}
		shown++
		most = max(most, *n.PredictedMS, *n.MeasuredMS)
		p.Add(marker{*n.PredictedMS, *n.MeasuredMS, label, k, i%2 == 0})
	}
	if shown == 0 || most <= 0 {
		return figure{}, false
	}
	most *= 1.12
	p.X.Min, p.Y.Min, p.X.Max, p.Y.Max = 0, 0, most, most
	drawn := p.Draw
	wedge, equal := agreement(most, within)
	return figure{
		title: "Predicted against measured latency",
		desc:  fmt.Sprintf("%d networks, %d outside the band of ±%.0f %% around equality.", shown, outside, predictionErrorPct),
		width: plotWidth, height: plotHeight,
		draw: func(c draw.Canvas) {
			inner := p.DataCanvas(c)
			wedge.Plot(inner, p)
			equal.Plot(inner, p)
			drawn(c)
		},
	}, true
}

// agreement is the band of |predicted − measured| ≤ within · measured, and equality:
// measured lies between predicted/(1±within).
func agreement(most, within float64) (wedge *plotter.Polygon, equal *plotter.Line) {
	low, high := most/(1+within), most*(1-within)
	wedge = &plotter.Polygon{XYs: []plotter.XYs{{{X: 0, Y: 0}, {X: most, Y: low}, {X: most, Y: most}, {X: high, Y: most}}}, Color: band.rgba}
	return wedge, lines(plotter.XYs{{X: 0, Y: 0}, {X: most, Y: most}}, line(muted, 1))
}

// curvesFigure is accuracy over the epochs of each training: the test set's
// as a line with dots, the training set's dashed.
func curvesFigure(r Run) (figure, bool) {
	best := math.Inf(-1)
	each := func(do func(curve int, test bool, at plotter.XY)) {
		for i, c := range r.Accuracy {
			for _, e := range c.Points {
				for _, test := range []bool{false, true} {
					v := e.TrainAccuracy
					if test {
						v = e.TestAccuracy
					}
					if v != nil && drawable(e.Epoch) && *v >= 0 && *v <= 1 {
						do(i, test, plotter.XY{X: e.Epoch, Y: 100 * *v})
					}
				}
			}
		}
	}
	each(func(_ int, _ bool, at plotter.XY) { best = max(best, at.Y) })
	if math.IsInf(best, -1) {
		return figure{}, false
	}
	const span = 25 // points under the best, where the networks differ
	train, test := make([]plotter.XYs, len(r.Accuracy)), make([]plotter.XYs, len(r.Accuracy))
	each(func(i int, isTest bool, at plotter.XY) {
		switch {
		case at.Y < best-span:
		case isTest:
			test[i] = append(test[i], at)
		default:
			train[i] = append(train[i], at)
		}
	})
	p := newPlot("epochs of that training", "accuracy, %")
	for i, c := range r.Accuracy {
		k := curveInk(c, budgets(r))
		if len(train[i]) > 0 {
			p.Add(lines(train[i], line(k, 1, 3, 3)))
		}
		if len(test[i]) > 0 {
			p.Add(lines(test[i], line(k, 1.8)), dots{test[i], dot(k, 3)})
		}
	}
	p.X.Min, p.X.Max = min(0, p.X.Min), p.X.Max*1.02
	p.Y.Max = min(100, p.Y.Max+1)
	return figure{
		title: "Accuracy over time",
		desc:  fmt.Sprintf("%d trainings; test accuracy solid, training accuracy dashed; the best value is %.2f %%.", len(r.Accuracy), best),
		width: plotWidth, height: plotHeight, draw: p.Draw,
	}, true
}

// curveInk is the ink of a training's budget, or of the dense network.
func curveInk(c Curve, budgets []string) ink {
	if i := slices.Index(budgets, c.Budget); i >= 0 {
		return seriesInk(i)
	}
	return series[0]
}
