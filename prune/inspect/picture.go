package inspect

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
)

// The drawing: rows from top to bottom, edges that skip rows in lanes to the left
// of the boxes, a box as wide as its channels ask, and what it is to the right.
const (
	rowHeight = 24
	boxHeight = 14
	laneWidth = 9
	boxWidth  = 132 // of the most channels
	charWidth = 7.2 // of 11 px text
	top       = 30
)

// palette are the colours of groups that tie layers together; others are grey.
var palette = []string{"#1f62c9", "#0b7d62", "#9a4ab5", "#a86500", "#0a7899", "#b43218", "#5c6b00", "#c2347e", "#3d4db5", "#6b4a2b"}

const grey = "#9aa4ae"

// colours are the groups': a colour of their own for those that tie layers.
func (n *Network) colours() []string {
	all, next := make([]string, len(n.Groups)), 0
	for i, g := range n.Groups {
		all[i] = grey
		if coupled(g) {
			all[i] = palette[next%len(palette)]
			next++
		}
	}
	return all
}

// edge is one that skips rows, in its lane.
type edge struct{ from, to, lane int }

// lanes lays edges that do not go to the next row side by side, each in the
// first lane that is free, and returns how many lanes that takes.
func (n *Network) lanes() (edges []edge, width int) {
	for to, r := range n.Rows {
		for _, from := range r.Reads {
			if from < to-1 {
				edges = append(edges, edge{from: from, to: to})
			}
		}
	}
	// Short ones first take the lanes next to the boxes.
	for span := 2; span <= len(n.Rows); span++ {
		for i := range edges {
			if e := &edges[i]; e.to-e.from == span {
				e.lane = free(edges, *e, i, span)
				width = max(width, e.lane+1)
			}
		}
	}
	return edges, width
}

// free is the first lane in which no placed edge crosses e's rows.
func free(edges []edge, e edge, at, span int) int {
	for lane := 0; ; lane++ {
		taken := false
		for i, o := range edges {
			placed := o.to-o.from < span || o.to-o.from == span && i < at
			if placed && o.lane == lane && o.from < e.to && e.from < o.to {
				taken = true
				break
			}
		}
		if !taken {
			return lane
		}
	}
}

// WriteSVG draws the network.
func (n *Network) WriteSVG(w io.Writer) error {
	var b bytes.Buffer
	edges, lanes := n.lanes()
	colours := n.colours()
	left := 10 + lanes*laneWidth + 8
	words := [][]string{{"layer", "does", "output", "group", "block that may go"}}
	for _, r := range n.Rows {
		words = append(words, []string{r.Name, r.Does, r.Shape.String(), n.groups(r), r.Block})
	}
	columns, width := columnsFrom(left+boxWidth+12, words)
	height := top + len(n.Rows)*rowHeight + 10
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Helvetica Neue,Helvetica,Arial,Liberation Sans,Arimo,Nimbus Sans,DejaVu Sans Condensed,sans-serif" font-size="11">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title><rect width=\"%d\" height=\"%d\" fill=\"#fefefe\"/>\n", html.EscapeString(n.Name), width, height)
	for i, head := range words[0] {
		fmt.Fprintf(&b, `<text x="%d" y="18" fill="#5a6672">%s</text>`+"\n", columns[i], head)
	}
	n.drawBlocks(&b, width)
	y := func(row int) int { return top + row*rowHeight + rowHeight/2 }
	colour := func(row int) string {
		if g := n.Rows[row].Groups; len(g) == 1 {
			return colours[g[0]]
		}
		return grey
	}
	for to, r := range n.Rows {
		for _, from := range r.Reads {
			if from == to-1 {
				fmt.Fprintf(&b, `<path d="M%d %dV%d" stroke="%s" stroke-width="1.6"/>`+"\n", left+10, y(from)+boxHeight/2, y(to)-boxHeight/2, colour(from))
			}
		}
	}
	for _, e := range edges {
		x := left - 8 - e.lane*laneWidth
		fmt.Fprintf(&b, `<path d="M%d %dH%dq-4 0 -4 4V%dq0 4 4 4H%d" fill="none" stroke="%s" stroke-width="1.6"/><path d="M%d %dl-5 -3v6z" fill="%s"/>`+"\n",
			left, y(e.from)+3, x+4, y(e.to)-7, left-1, colour(e.from), left, y(e.to)-3, colour(e.from))
	}
	for i, r := range n.Rows {
		n.drawBox(&b, r, left, y(i)-boxHeight/2, colours)
		fill := "#1c252e"
		for j, s := range words[i+1] {
			if s != "" {
				fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", columns[j], y(i)+4, fill, html.EscapeString(s))
			}
			fill = "#5a6672"
		}
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// columnsFrom are where columns of words begin, the first at x, and where the last ends.
func columnsFrom(x int, rows [][]string) (columns []int, end int) {
	for j := range rows[0] {
		columns = append(columns, x)
		longest := 0
		for _, r := range rows {
			longest = max(longest, len([]rune(r[j])))
		}
		x += int(float64(longest)*charWidth) + 14
	}
	return columns, x
}

// drawBlocks puts a band behind the rows of each block that may go.
func (n *Network) drawBlocks(b *bytes.Buffer, width int) {
	for i := 0; i < len(n.Rows); {
		end := i + 1
		for end < len(n.Rows) && n.Rows[end].Block == n.Rows[i].Block {
			end++
		}
		if n.Rows[i].Block != "" {
			fmt.Fprintf(b, `<rect x="0" y="%d" width="%d" height="%d" fill="#eef3fb"/>`+"\n", top+i*rowHeight+2, width, (end-i)*rowHeight-4)
		}
		i = end
	}
}

// drawBox draws a row's output channels, each group's part in its colour; those
// that are fixed are hollow.
func (n *Network) drawBox(b *bytes.Buffer, r Row, x, y int, colours []string) {
	most, total := 1, 0
	for _, o := range n.Rows {
		most = max(most, o.Shape.C)
	}
	for _, id := range r.Groups {
		total += n.Groups[id].Channels
	}
	full := 20 + (boxWidth-20)*math.Sqrt(float64(r.Shape.C)/float64(most))
	at := float64(x)
	for _, id := range r.Groups {
		part := full * float64(n.Groups[id].Channels) / float64(total)
		fill := colours[id]
		if n.Groups[id].Fixed {
			fill = "#fefefe"
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s" stroke="%s"><title>group %d, %d channels</title></rect>`+"\n", at, y, part, boxHeight, fill, colours[id], id, n.Groups[id].Channels)
		at += part
	}
}
