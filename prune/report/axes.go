package report

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// newPlot is an empty plot in the house's inks and letters.
func newPlot(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	label := textStyle(muted, fontSize, draw.XCenter, draw.YBottom)
	for _, a := range []struct {
		*plot.Axis
		label string
	}{{&p.X, xLabel}, {&p.Y, yLabel}} {
		a.Label.Text = a.label
		a.Label.TextStyle.Color, a.Label.TextStyle.Font = label.Color, label.Font
		a.Tick.Label.Color, a.Tick.Label.Font = label.Color, label.Font
		a.Label.Padding = 4
		a.LineStyle = line(muted, 0.8)
		a.Tick.LineStyle = line(muted, 0.8)
		a.Tick.Length = 4
		a.Tick.Marker = plot.TickerFunc(ticks)
	}
	grid := plotter.NewGrid()
	grid.Horizontal, grid.Vertical = line(rule, 0.8), draw.LineStyle{}
	p.Add(grid)
	return p
}

// ticks are the multiples of 1, 2 or 5 times a power of ten that cut the axis
// into at most seven.
func ticks(low, high float64) []plot.Tick {
	const most = 7
	step := math.Pow(10, math.Floor(math.Log10((high-low)/most)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (high-low)/(m*step) <= most {
			step *= m
			break
		}
	}
	precision := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for i := math.Ceil(low / step); i*step <= high && len(out) <= most; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', min(precision, 6), 64)})
	}
	return out
}

// drawable tells whether an axis can take v: beyond it there is no latency
// and no score, only a mistake.
func drawable(v float64) bool { return math.Abs(v) < 1e12 }

func lines(at plotter.XYs, style draw.LineStyle) *plotter.Line {
	return &plotter.Line{XYs: at, LineStyle: style}
}

// dots is a scatter of one glyph.
type dots struct {
	at    plotter.XYs
	style draw.GlyphStyle
}

func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, v := range d.at {
		c.DrawGlyph(d.style, vg.Point{X: x(v.X), Y: y(v.Y)})
	}
}

// marker is a point with its name below it to the right, or above to the left, where there is room.
type marker struct {
	x, y  float64
	name  string
	ink   ink
	above bool // so that neighbours' names do not meet
}

func (m marker) DataRange() (xmin, xmax, ymin, ymax float64) { return m.x, m.x, m.y, m.y }

func (m marker) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at := vg.Point{X: x(m.x), Y: y(m.y)}
	c.DrawGlyph(dot(paper, 6.5), at)
	c.DrawGlyph(dot(m.ink, 4.5), at)
	style := textStyle(m.ink, fontSize+1, draw.XLeft, draw.YTop)
	offset := vg.Point{X: 7, Y: -4}
	name := cut(m.name, 16)
	if m.above {
		style.YAlign, offset.Y = draw.YBottom, 4
	}
	width := offset.X + style.Width(name)
	if at.X+width > c.Max.X || m.above && at.X-width >= c.Min.X {
		style.XAlign, offset.X = draw.XRight, -7
	}
	c.FillText(style, at.Add(offset), name)
}

// upright is a line across the whole height of a plot.
type upright struct {
	x     float64
	style draw.LineStyle
}

func (u upright) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.StrokeLine2(u.style, x(u.x), c.Min.Y, x(u.x), c.Max.Y)
}
