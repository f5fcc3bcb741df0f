package report

import (
	"fmt"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A width plot's sizes, in the SVG's own units.
const (
	widthsWidth = vg.Length(350)
	rowHeight   = vg.Length(18)
	nameRoom    = vg.Length(118)
	countRoom   = vg.Length(62)
	blockGap    = vg.Length(5)
)

// widthsFigure is the part of each layer's channels that a budget keeps. The
// whole bar is the dense layer; one that went with its block is an outline.
func widthsFigure(r Run, budget string, k ink) (figure, bool) {
	if len(r.Layers) == 0 {
		return figure{}, false
	}
	kept, dense, gone := 0, 0, 0
	height := 2 * blockGap
	for i, l := range r.Layers {
		kept, dense = kept+l.Kept[budget], dense+l.Dense
		height += rowHeight + gapBefore(r.Layers, i)
	}
	for _, b := range r.Blocks {
		if has, known := b.Kept[budget]; known && !has {
			gone++
		}
	}
	return figure{
		title: fmt.Sprintf("Channels kept in each layer at budget %s", budget),
		desc:  fmt.Sprintf("%d of %d channels of %d layers are kept; %d of %d removable blocks are removed.", kept, dense, len(r.Layers), gone, len(r.Blocks)),
		width: widthsWidth, height: height,
		draw: func(c draw.Canvas) {
			y := c.Max.Y - blockGap
			for i, l := range r.Layers {
				y -= gapBefore(r.Layers, i)
				drawRow(c, y-rowHeight, l, budget, k)
				y -= rowHeight
			}
		},
	}, true
}

// drawRow draws one layer: name, bar, count. y is the row's foot.
func drawRow(c draw.Canvas, y vg.Length, l LayerWidth, budget string, k ink) {
	kept, measured := l.Kept[budget]
	left, right := c.Min.X+nameRoom, c.Max.X-countRoom
	foot, top, middle := y+3, y+rowHeight-3, y+rowHeight/2
	name := textStyle(muted, fontSize-1, draw.XRight, draw.YCenter)
	count := textStyle(text, fontSize-1, draw.XRight, draw.YCenter)
	label := fmt.Sprintf("%d / %d", kept, l.Dense)
	switch {
	case !measured:
		label = unknown
		c.FillPolygon(track.rgba, box(left, foot, right, top))
	case kept <= 0 || l.Dense <= 0:
		label = "removed"
		count.Color = missed.rgba
		c.StrokeLines(line(missed, 0.8, 2, 2), append(box(left, foot, right, top), vg.Point{X: left, Y: foot}))
	default:
		share := vg.Length(min(1, float64(kept)/float64(l.Dense)))
		c.FillPolygon(track.rgba, box(left, foot, right, top))
		c.FillPolygon(k.rgba, box(left, foot, left+share*(right-left), top))
	}
	c.FillText(name, vg.Point{X: left - 6, Y: middle}, narrowed(l.Name, name, nameRoom-8))
	c.FillText(count, vg.Point{X: c.Max.X - 1, Y: middle}, label)
}

// gapBefore is the room above layer i: a new block stands apart.
func gapBefore(layers []LayerWidth, i int) vg.Length {
	if i > 0 && layers[i].Block != layers[i-1].Block {
		return blockGap
	}
	return 0
}

// narrowed cuts the start of a name that has no room: its end tells layers apart.
func narrowed(name string, style draw.TextStyle, room vg.Length) string {
	if name = plain(name); style.Width(name) <= room {
		return name
	}
	runes := []rune(name)
	runes = runes[max(0, len(runes)-40):]
	for len(runes) > 0 && style.Width("…"+string(runes)) > room {
		runes = runes[1:]
	}
	return "…" + string(runes)
}

func box(x0, y0, x1, y1 vg.Length) []vg.Point {
	return []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}}
}
