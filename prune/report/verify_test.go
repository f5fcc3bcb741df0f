package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sampleVerification() Verification {
	v := Verification{Networks: []Subnet{
		{Name: "random 0.8x 1", DenseMS: 10, MeasuredMS: 8, SpreadPct: 26, PredictedMS: []float64{8, 10}},
		{Name: "random 0.2x 1", DenseMS: 10, MeasuredMS: 2, PredictedMS: []float64{1.5, 2.5}},
		{Name: "solution 0.35x", DenseMS: 20, MeasuredMS: 8, PredictedMS: []float64{8.8, 8}},
	}}
	v.SumUp([]string{"tied", "additive"})
	return v
}

func TestVerificationSumsUp(t *testing.T) {
	v := sampleVerification()
	require.Len(t, v.Models, 2)
	for i, want := range []ModelError{{"tied", 10, -25, "random 0.2x 1"}, {"additive", 25, 25, "random 0.8x 1"}} {
		got := v.Models[i]
		assert.Equal(t, want.Model, got.Model)
		assert.InDelta(t, want.MedianPct, got.MedianPct, 1e-9)
		assert.InDelta(t, want.WorstPct, got.WorstPct, 1e-9)
		assert.Equal(t, want.WorstOf, got.WorstOf)
	}
	v.Networks = v.Networks[1:]
	v.SumUp([]string{"tied", "additive"})
	assert.InDelta(t, 17.5, v.Models[0].MedianPct, 1e-9, "between the middle two")
}

func TestVerificationIsShown(t *testing.T) {
	v := sampleVerification()
	var b bytes.Buffer
	require.NoError(t, v.WriteTable(&b))
	for _, line := range strings.Split(b.String(), "\n") {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
	}
	for _, want := range []string{"0.800x", "−25.00%", "median error", "10.00%", "worst", "1 of 3 networks"} {
		assert.Contains(t, b.String(), want)
	}
	b.Reset()
	require.NoError(t, v.WriteSVG(&b))
	if path := os.Getenv("MDP_VERIFY_SAMPLE"); path != "" { // to look at it in a browser
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	assert.Contains(t, b.String(), "tied: median 10.0 %, worst −25.00 %")
	for d := xml.NewDecoder(&b); ; {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Error(t, Verification{}.WriteSVG(io.Discard))
}
