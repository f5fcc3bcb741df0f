package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// An ink is a colour of the plots. In the page each becomes the CSS variable
// of its name, so that light and dark differ in the style sheet alone.
type ink struct {
	css  string
	rgba color.NRGBA // on white paper; distinct in every ink, never black
}

var (
	paper  = ink{"--paper", color.NRGBA{0xFE, 0xFE, 0xFE, 0xFF}}
	text   = ink{"--text", color.NRGBA{0x1C, 0x25, 0x2E, 0xFF}}
	muted  = ink{"--muted", color.NRGBA{0x5A, 0x66, 0x72, 0xFF}}
	rule   = ink{"--rule", color.NRGBA{0xDF, 0xE3, 0xE8, 0xFF}}
	track  = ink{"--track", color.NRGBA{0xE9, 0xEC, 0xF0, 0xFF}}
	band   = ink{"--band", color.NRGBA{0xE4, 0xEE, 0xE8, 0xFF}}
	missed = ink{"--missed", color.NRGBA{0xB4, 0x32, 0x18, 0xFF}}
	series = []ink{
		{"--s0", color.NRGBA{0x4B, 0x55, 0x60, 0xFF}}, // dense
		{"--s1", color.NRGBA{0x1F, 0x62, 0xC9, 0xFF}},
		{"--s2", color.NRGBA{0x0B, 0x7D, 0x62, 0xFF}},
		{"--s3", color.NRGBA{0x9A, 0x4A, 0xB5, 0xFF}},
		{"--s4", color.NRGBA{0xA8, 0x65, 0x00, 0xFF}},
		{"--s5", color.NRGBA{0x0A, 0x78, 0x99, 0xFF}},
	}
)

// seriesInk is the ink of the i-th budget; series 0 is the dense network.
func seriesInk(i int) ink { return series[1+i%(len(series)-1)] }

func inks() []ink { return append([]ink{paper, text, muted, rule, track, band, missed}, series...) }

// fonts is what stands in for the plots' Liberation Sans: these families
// share its widths, the last nearly, so that no label grows past the room measured for it.
const fonts = "Helvetica Neue,Helvetica,Arial,Liberation Sans,Arimo,Nimbus Sans,DejaVu Sans Condensed,sans-serif"

const fontSize = vg.Length(12)

// margin keeps letters with a long tail inside the drawing.
const margin = vg.Length(3)

// figure is a drawing with what it says in words.
type figure struct {
	title, desc   string
	width, height vg.Length
	draw          func(draw.Canvas)
}

// write draws the figure as an SVG element. In a page colours are CSS
// variables, and id makes its names unique; a file has its own colours and
// its own paper.
func (f figure) write(w io.Writer, id string) error {
	canvas := vgsvg.NewWith(vgsvg.UseWH(f.width, f.height))
	f.draw(draw.Crop(draw.New(canvas), margin, -margin, 0, 0))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	_, body, ok := strings.Cut(b.String(), "<svg")
	if ok {
		_, body, ok = strings.Cut(body, ">")
	}
	if !ok {
		return fmt.Errorf("plot %q: no svg element", f.title)
	}
	swap := []string{"font-family:Liberation Sans", "font-family:" + fonts}
	width, height := f.width.Points(), f.height.Points()
	var head string
	if id == "" {
		const edge = 12.0 // of paper
		width, height = width+2*edge, height+2*edge
		head = fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="%g %g %g %g" width="%g" height="%g" role="img"><title>%s</title><desc>%s</desc>`+
			`<rect x="%g" y="%g" width="%g" height="%g" fill="#FEFEFE"/>`,
			-edge, -edge, width, height, width, height, escape(f.title), escape(f.desc), -edge, -edge, width, height)
	} else {
		for _, k := range inks() {
			swap = append(swap, fmt.Sprintf("#%02X%02X%02X", k.rgba.R, k.rgba.G, k.rgba.B), "var("+k.css+")")
		}
		head = fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-labelledby="%s-t %s-d">`+
			`<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
			width, height, id, id, id, escape(f.title), id, escape(f.desc))
	}
	_, err := io.WriteString(w, head+strings.NewReplacer(swap...).Replace(body))
	return err
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}

// textStyle is the plots' text in an ink.
func textStyle(k ink, size vg.Length, x draw.XAlignment, y draw.YAlignment) draw.TextStyle {
	return draw.TextStyle{
		Color:   k.rgba,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  x,
		YAlign:  y,
		Handler: plot.DefaultTextHandler,
	}
}

func line(k ink, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: k.rgba, Width: width, Dashes: dashes}
}

func dot(k ink, radius vg.Length) draw.GlyphStyle {
	return draw.GlyphStyle{Color: k.rgba, Radius: radius, Shape: draw.CircleGlyph{}}
}
