// Plotgrowth draws BenchmarkGrowth's output, read from standard input, as time
// against number of options, both logarithmic: plotgrowth FILE.svg
package main

import (
	"bufio"
	"errors"
	"fmt"
	"image/color"
	"io"
	"os"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -run '^$' -bench Growth ./prune/solve | plotgrowth FILE.svg")
		os.Exit(2)
	}
	if err := run(os.Stdin, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plotgrowth:", err)
		os.Exit(1)
	}
}

func run(r io.Reader, file string) error {
	names, curves, err := read(r)
	if err != nil {
		return err
	}
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "options of all groups", "ms"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(200, 500, 1000, 2000), ticks(1, 10, 100, 1000)
	p.Legend.Top, p.Legend.Left = true, true
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	for _, name := range names {
		line, points, err := plotter.NewLinePoints(curves[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		question, series, _ := strings.Cut(name, ", ")
		line.Color = colours[question]
		points.Color, points.Shape = line.Color, draw.CircleGlyph{}
		if series == "more blocks" {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		p.Add(line, points)
		p.Legend.Add(name, line, points)
	}
	return p.Save(16*vg.Centimeter, 11*vg.Centimeter, file)
}

func ticks(at ...float64) plot.ConstantTicks {
	var t plot.ConstantTicks
	for _, v := range at {
		t = append(t, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
	}
	return t
}

// Okabe and Ito's colours, which everyone can tell apart.
var colours = map[string]color.Color{
	"one budget":  color.RGBA{0, 114, 178, 255},
	"two devices": color.RGBA{0, 158, 115, 255},
	"whole front": color.RGBA{213, 94, 0, 255},
}

// read returns the curves, options against ms, and their names in order of appearance.
func read(r io.Reader) (names []string, curves map[string]plotter.XYs, err error) {
	curves = map[string]plotter.XYs{}
	for sc := bufio.NewScanner(r); sc.Scan(); {
		// BenchmarkGrowth/one_budget,_more_blocks/1234-2  3  5678 ns/op  1234 options
		fields := strings.Fields(sc.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "BenchmarkGrowth/") {
			continue
		}
		name := strings.ReplaceAll(strings.Split(fields[0], "/")[1], "_", " ")
		var at plotter.XY
		for i, unit := range fields {
			if i == 0 {
				continue
			}
			v, err := strconv.ParseFloat(fields[i-1], 64)
			switch {
			case unit == "ns/op" && err == nil:
				at.Y = v / 1e6
			case unit == "options" && err == nil:
				at.X = v
			}
		}
		if !(at.X > 0 && at.Y > 0) {
			return nil, nil, fmt.Errorf("no time or size in %q", sc.Text())
		}
		if curves[name] == nil {
			names = append(names, name)
		}
		curves[name] = append(curves[name], at)
	}
	if len(names) == 0 {
		return nil, nil, errors.New("no line of BenchmarkGrowth on standard input")
	}
	return names, curves, nil
}
