package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Verification is how well sub-networks' latencies were predicted.
type Verification struct {
	Models   []ModelError `json:"models"` // in the order of every Subnet's PredictedMS
	Networks []Subnet     `json:"networks"`
}

// Subnet is a sub-network timed end to end, in turn with the dense network.
type Subnet struct {
	Name        string    `json:"name"` // how it was chosen
	Keeps       string    `json:"keeps"`
	DenseMS     float64   `json:"denseMS"` // of the dense network in the same rounds
	MeasuredMS  float64   `json:"measuredMS"`
	SpreadPct   float64   `json:"spreadPct"`   // that the middle half of the samples takes up, of their median
	PredictedMS []float64 `json:"predictedMS"` // by each model, at the pace of DenseMS
}

// ModelError sums up a model's errors, predicted ÷ measured − 1.
type ModelError struct {
	Model     string  `json:"model"`
	MedianPct float64 `json:"medianPct"` // of their absolute values
	WorstPct  float64 `json:"worstPct"`  // with its sign
	WorstOf   string  `json:"worstOf"`   // a network's name
}

// SumUp fills Models in from the networks, for models of these names.
func (v *Verification) SumUp(models []string) {
	v.Models = nil
	for m, name := range models {
		e := ModelError{Model: name}
		var off []float64
		for _, n := range v.Networks {
			pct := 100 * (n.PredictedMS[m]/n.MeasuredMS - 1)
			off = append(off, math.Abs(pct))
			if math.Abs(pct) > math.Abs(e.WorstPct) {
				e.WorstPct, e.WorstOf = pct, n.Name
			}
		}
		slices.Sort(off)
		if n := len(off); n > 0 {
			e.MedianPct = (off[(n-1)/2] + off[n/2]) / 2
		}
		v.Models = append(v.Models, e)
	}
}

// WriteTable writes every network's measured latency and each model's error,
// then the models' median and worst.
func (v Verification) WriteTable(w io.Writer) error {
	head := fmt.Sprintf("%-14s  %9s  %8s", "network", "measured", "of dense")
	for _, m := range v.Models {
		head += fmt.Sprintf("  %9s", m.Model)
	}
	var b strings.Builder
	fmt.Fprintln(&b, head)
	for _, n := range v.Networks {
		fmt.Fprintf(&b, "%-14s  %6s ms  %7.3fx", n.Name, digits(n.MeasuredMS), n.MeasuredMS/n.DenseMS)
		for _, predicted := range n.PredictedMS {
			fmt.Fprintf(&b, "  %8s%%", signed(100*(predicted/n.MeasuredMS-1)))
		}
		fmt.Fprintln(&b)
	}
	for _, row := range []struct {
		name string
		cell func(ModelError) string
	}{
		{"median error", func(m ModelError) string { return fmt.Sprintf("%.2f", m.MedianPct) }},
		{"worst", func(m ModelError) string { return signed(m.WorstPct) }},
	} {
		fmt.Fprintf(&b, "%-35s", row.name)
		for _, m := range v.Models {
			fmt.Fprintf(&b, "  %8s%%", row.cell(m))
		}
		fmt.Fprintln(&b)
	}
	busy := 0
	for _, n := range v.Networks {
		if n.SpreadPct > busyPct {
			busy++
		}
	}
	if busy > 0 {
		fmt.Fprintf(&b, "\n%d of %d networks' own samples spread by more than %.0f %%: the machine was\nbusy, and errors tell as much of that as of the models.\n", busy, len(v.Networks), busyPct)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// busyPct is a spread of samples that a machine left alone does not have.
const busyPct = 25.0

// WriteSVG draws measured over predicted latency, both as shares of the dense
// network's, with the band that predictions are held to.
func (v Verification) WriteSVG(w io.Writer) error {
	const within = predictionErrorPct / 100
	p := newPlot("predicted, of dense", "measured, of dense")
	most := 1.0
	for _, n := range v.Networks {
		for _, predicted := range n.PredictedMS {
			most = max(most, predicted/n.DenseMS, n.MeasuredMS/n.DenseMS)
		}
	}
	if !drawable(most) || len(v.Models) == 0 {
		return fmt.Errorf("verification plot: no network was measured and predicted")
	}
	most *= 1.05
	for m := len(v.Models) - 1; m >= 0; m-- { // the first on top
		d := dots{style: draw.GlyphStyle{Color: seriesInk(m).rgba, Radius: 3.5, Shape: shapes[m%len(shapes)]}}
		for _, n := range v.Networks {
			d.at = append(d.at, plotter.XY{X: n.PredictedMS[m] / n.DenseMS, Y: n.MeasuredMS / n.DenseMS})
		}
		p.Add(d)
	}
	p.X.Min, p.Y.Min, p.X.Max, p.Y.Max = 0, 0, most, 1.35*most // with room for the legend
	legend := func(c draw.Canvas) {
		for m, e := range v.Models {
			y := c.Max.Y - vg.Length(14+16*m)
			c.DrawGlyph(draw.GlyphStyle{Color: seriesInk(m).rgba, Radius: 3.5, Shape: shapes[m%len(shapes)]}, vg.Point{X: c.Min.X + 12, Y: y})
			label := fmt.Sprintf("%s: median %.1f %%, worst %s %%", e.Model, e.MedianPct, signed(e.WorstPct))
			c.FillText(textStyle(seriesInk(m), fontSize, draw.XLeft, draw.YCenter), vg.Point{X: c.Min.X + 20, Y: y}, label)
		}
	}
	wedge, equal := agreement(most, within)
	return figure{
		title: "Predicted against measured latency of sub-networks",
		desc:  fmt.Sprintf("%d networks by %d models, and the band of ±%.0f %% around equality.", len(v.Networks), len(v.Models), predictionErrorPct),
		width: plotWidth, height: plotHeight,
		draw: func(c draw.Canvas) {
			inner := p.DataCanvas(c)
			wedge.Plot(inner, p)
			equal.Plot(inner, p)
			p.Draw(c)
			legend(inner)
		},
	}.write(w, "")
}

// shapes tell the models apart without colour.
var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}, draw.BoxGlyph{}}
