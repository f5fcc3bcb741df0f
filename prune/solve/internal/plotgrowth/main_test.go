package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"
)

const output = `goos: linux
BenchmarkGrowth/one_budget,_finer_steps/200-2 	 3	 1500000 ns/op	 200.0 options
BenchmarkGrowth/one_budget,_finer_steps/400-2 	 3	 3000000 ns/op	 400.0 options
BenchmarkGrowth/whole_front,_more_blocks/300-2 	 1	 50000000 ns/op	 300.0 options
BenchmarkOther/x-2 	 1	 7 ns/op
`

func TestRead(t *testing.T) {
	names, curves, err := read(strings.NewReader(output))
	require.NoError(t, err)
	require.Equal(t, []string{"one budget, finer steps", "whole front, more blocks"}, names)
	require.Equal(t, plotter.XYs{{X: 200, Y: 1.5}, {X: 400, Y: 3}}, curves[names[0]])
	for text, want := range map[string]string{
		"": "no line of BenchmarkGrowth",
		"BenchmarkGrowth/one_budget,_x/5-2 1 0 ns/op 5 options": "no time or size",
		"BenchmarkGrowth/one_budget,_x/5-2 1 9 ns/op":           "no time or size",
	} {
		_, _, err := read(strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}

func TestDraw(t *testing.T) {
	file := filepath.Join(t.TempDir(), "growth.svg")
	require.NoError(t, run(strings.NewReader(output), file))
	svg, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, want := range []string{"<svg", "options of all groups", "whole front, more blocks"} {
		require.Contains(t, string(svg), want)
	}
	require.Error(t, run(strings.NewReader("nothing"), file))
}
