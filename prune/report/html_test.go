package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func render(t *testing.T, r Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteHTML(&b, r))
	return b.String()
}

var svgElement = regexp.MustCompile(`(?s)<svg.*?</svg>`)

// checkPage holds a page to what every run's must be.
func checkPage(t *testing.T, page string) {
	t.Helper()
	for _, svg := range svgElement.FindAllString(page, -1) {
		checkXML(t, svg)
	}
	bare := strings.ReplaceAll(page, `xmlns="http://www.w3.org/2000/svg"`, "")
	for _, outside := range []string{"http://", "https://", "src=", "href=", "url(", "@import", "<script", "NaN", "Inf"} {
		if at := strings.Index(bare, outside); at >= 0 {
			t.Errorf("page holds %q: %s", outside, bare[max(0, at-200):min(len(bare), at+100)])
		}
	}
	assert.True(t, strings.HasSuffix(strings.TrimSpace(page), "</html>"))
}

func checkXML(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, svg)
	}
}

func TestPageShowsTheRun(t *testing.T) {
	r := sample()
	page := render(t, r)
	if path := os.Getenv("MDP_REPORT_SAMPLE"); path != "" { // to look at it in a browser
		require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	}
	checkPage(t, page)
	assert.Len(t, svgElement.FindAllString(page, -1), 6, "front, agreement, curves and a width plot per budget")
	for _, want := range []string{"1.97×", "accuracy −0.30 points", "41 % of the parameters", "175.0 k", "1 of 5 bounds missed",
		"0.35x predicted against measured", "removed", "layer1.1.conv2", "5.00 %", "10.0 % over budget", "no answer", "optimal", "bin/mdp prune --net resnet14"} {
		assert.Contains(t, page, want)
	}
	for _, n := range r.Networks {
		assert.Contains(t, page, ">"+n.Name+"</th>")
	}
}

func TestPageEscapesEveryName(t *testing.T) {
	const evil = `<script>alert("1")</script>&<svg/onload=x>`
	r := Run{Title: evil, Model: evil, Dataset: evil, Machine: Machine{Device: evil, CPU: evil, ISA: evil, Version: evil},
		Networks:  []Network{{Name: Dense, PredictedMS: new(2.0), MeasuredMS: new(2.0)}, {Name: Pruned, Budget: evil, PredictedMS: new(1.0), MeasuredMS: new(1.0), Note: evil}, {Name: evil}},
		Front:     []Point{{1, 1}, {2, 3}},
		Solutions: []Solution{{Budget: evil, BudgetMS: 1, LatencyMS: 1, Importance: 1, Status: evil, Baselines: []Baseline{{Name: evil}}}},
		Layers:    []LayerWidth{{Name: evil, Block: evil, Dense: 8, Kept: map[string]int{evil: 4}}},
		Blocks:    []BlockState{{Name: evil, Kept: map[string]bool{evil: true}}},
		Accuracy:  []Curve{{Name: evil, Points: []Epoch{{Epoch: 1, TestAccuracy: new(0.5)}}}},
		Notes:     []string{evil}, Commands: []string{evil}, Steps: []StepTime{{Name: evil}}}
	r.Expectations = Expectations(r.Networks)
	page := render(t, r)
	checkPage(t, page)
	assert.NotContains(t, page, "<svg/onload")
	assert.Contains(t, page, "&lt;script&gt;")
}

func TestPageOfHardlyAnything(t *testing.T) {
	for name, r := range map[string]Run{
		"nothing":     {},
		"one network": {Networks: []Network{{Name: Dense, Accuracy: new(0.9)}}},
		"one point":   {Front: []Point{{5, 5}}, Accuracy: []Curve{{Name: "dense", Points: []Epoch{{TestAccuracy: new(1.0)}}}}},
		"zeros":       {Front: []Point{{}, {}}, Solutions: []Solution{{Budget: "0x"}}, Layers: []LayerWidth{{}}},
	} {
		t.Run(name, func(t *testing.T) { checkPage(t, render(t, r)) })
	}
}

func TestFrontSVGIsAFile(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, FrontSVG(&b, sample()))
	checkXML(t, b.String())
	assert.NotContains(t, b.String(), "var(--", "a file has no style sheet")
	assert.Contains(t, b.String(), "<title>")
	if path := os.Getenv("MDP_REPORT_FRONT"); path != "" {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	assert.ErrorContains(t, FrontSVG(io.Discard, Run{}), "no front")
}

// A run of random and broken values has a page, a table and JSON.
func TestRandomRuns(t *testing.T) {
	for seed := range uint64(60) {
		r := randomRun(rand.New(rand.NewPCG(seed, 1)))
		assert.NotPanics(t, func() {
			checkPage(t, render(t, r))
			require.NoError(t, WriteTable(io.Discard, r, int(seed)))
			require.NoError(t, WriteJSON(io.Discard, r))
		}, "seed %d", seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func randomRun(rng *rand.Rand) Run {
	number := func() float64 {
		odd := []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e300, -1e300, 1e11, 5e-324, math.MaxFloat64}
		if rng.IntN(3) == 0 {
			return odd[rng.IntN(len(odd))]
		}
		return rng.ExpFloat64() * 10
	}
	maybe := func() *float64 {
		if rng.IntN(4) == 0 {
			return nil
		}
		return new(number())
	}
	budget := func() string { return []string{"0.5x", "", "3ms", "<b>"}[rng.IntN(4)] }
	r := Run{DenseImportance: number()}
	for range rng.IntN(6) {
		r.Networks = append(r.Networks, Network{Name: []string{Dense, Masked, Pruned, FineTuned, "?"}[rng.IntN(5)], Budget: budget(),
			Accuracy: maybe(), Parameters: rng.Int64() - 1<<62, MACs: rng.Int64N(1e9), PredictedMS: maybe(), MeasuredMS: maybe(), MeasuredCIMS: maybe(), BudgetMS: maybe(), Speedup: maybe()})
		r.Front = append(r.Front, Point{number(), number()})
		r.Solutions = append(r.Solutions, Solution{Budget: budget(), BudgetMS: number(), LatencyMS: number(), Importance: number(), Bound: maybe(), Gap: maybe(),
			Baselines: []Baseline{{Name: budget(), Found: rng.IntN(2) == 0, Fits: rng.IntN(2) == 0, Importance: number(), LatencyMS: number()}}})
		r.Layers = append(r.Layers, LayerWidth{Name: budget(), Block: budget(), Dense: rng.IntN(9) - 2, Kept: map[string]int{budget(): rng.IntN(9) - 2}})
		r.Accuracy = append(r.Accuracy, Curve{Points: []Epoch{{number(), maybe(), maybe(), maybe()}, {number(), new(rng.Float64()), new(rng.Float64()), nil}}})
		r.Steps = append(r.Steps, StepTime{Seconds: number()})
		r.Expectations = append(r.Expectations, Expect("x", maybe(), number(), "%"))
	}
	return r
}
