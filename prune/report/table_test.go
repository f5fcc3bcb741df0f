package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTableShowsEveryNetworkAndTheMiss(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteTable(&b, sample(), 80))
	out := b.String()
	t.Log("\n" + out)
	for _, want := range []string{"dense ", "masked 0.7x", "pruned 0.5x", "fine-tuned 0.35x", "91.32", "175.0 k", "11.93 M", "4.997", "1.97x",
		"ok      0.5x measured latency", "MISSED  0.35x predicted against measured: 11.62 %, at most 10.00 %"} {
		assert.Contains(t, out, want)
	}
}

func TestTableNeverWiderThanAsked(t *testing.T) {
	r := sample()
	long := strings.Repeat("very-long-name ", 12) + "\x1b[31m\n\ttail" + strings.Repeat("é", 90)
	r.Networks = append(r.Networks, Network{Name: long, Budget: long, Accuracy: new(math.MaxFloat64), Parameters: math.MaxInt64, MACs: math.MaxInt64,
		PredictedMS: new(1e300), MeasuredMS: new(-1e300), Speedup: new(math.Inf(1))})
	r.Expectations = append(r.Expectations, Expectation{Text: long, Bound: 1e300, Unit: long})
	r.Notes = append(r.Notes, long)
	for _, width := range []int{-1, 0, 1, 7, 8, 9, 16, 20, 40, 60, 79, 80, 200} {
		var b bytes.Buffer
		require.NoError(t, WriteTable(&b, r, width))
		limit := 80
		if width > 0 {
			limit = min(width, 80)
		}
		for _, line := range strings.Split(b.String(), "\n") {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), limit, "width %d: %q", width, line)
			assert.NotContains(t, line, "\x1b")
		}
	}
}

func TestEmptyRunHasATable(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteTable(&b, Run{}, 80))
	assert.Contains(t, b.String(), "no network yet")
}

func TestJSONHasTheDocumentedKeys(t *testing.T) {
	r := sample()
	r.Networks[1].PredictedMS = new(math.NaN())
	var b bytes.Buffer
	require.NoError(t, WriteJSON(&b, r))
	var out struct{ Networks []map[string]any }
	require.NoError(t, json.Unmarshal(b.Bytes(), &out))
	require.Len(t, out.Networks, len(r.Networks))
	for _, n := range out.Networks {
		for _, key := range []string{"name", "budget", "accuracy", "parameters", "macs", "predictedMS", "measuredMS"} {
			assert.Contains(t, n, key)
		}
	}
	assert.Nil(t, out.Networks[1]["predictedMS"])
	assert.InDelta(t, 1.97, out.Networks[6]["speedup"], 0.001)

	var back Run
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.Equal(t, clean(r), clean(back), "a run survives its JSON")
}

func TestExpectations(t *testing.T) {
	networks := func(accuracy, predicted, measured float64) []Network {
		return []Network{
			{Name: Dense, Accuracy: new(0.9), MeasuredMS: new(100.0)},
			{Name: FineTuned, Budget: "0.50x", Accuracy: new(accuracy), PredictedMS: new(predicted), MeasuredMS: new(measured)},
		}
	}
	verdicts := func(xs []Expectation) (out []bool) {
		for _, x := range xs {
			out = append(out, x.OK)
		}
		return out
	}
	assert.Equal(t, []bool{true, true, true}, verdicts(Expectations(networks(0.891, 50, 52))))
	assert.Equal(t, []bool{false, true, true}, verdicts(Expectations(networks(0.95, 50, 53))))
	assert.Equal(t, []bool{true, false, false}, verdicts(Expectations(networks(0.88, 40, 50))))
	assert.Equal(t, []bool{false, false, false}, verdicts(Expectations(networks(math.NaN(), math.NaN(), math.NaN()))))
	assert.Empty(t, Expectations(nil))

	noDense := networks(0.9, 50, 50)[1:]
	assert.Equal(t, []bool{false, false, true}, verdicts(Expectations(noDense)), "what cannot be measured is missed")
	untuned := networks(0.1, 50, 50)
	untuned[1].Name = Pruned
	assert.Equal(t, []bool{true, true}, verdicts(Expectations(untuned)), "nothing is expected of an accuracy without fine-tuning")
	other := networks(0.1, 50, 50)
	other[1].Budget = "3.2ms"
	assert.Equal(t, []bool{true}, verdicts(Expectations(other)), "the bounds of one half are for one half")
}

func ExampleWriteTable() {
	r := Run{Networks: []Network{
		{Name: Dense, Accuracy: new(0.9132), Parameters: 174970, MACs: 26512128, PredictedMS: new(9.8), MeasuredMS: new(10.0)},
		{Name: FineTuned, Budget: "0.5x", Accuracy: new(0.9102), Parameters: 71820, MACs: 11928320, PredictedMS: new(4.9), MeasuredMS: new(5.3)},
	}}
	r.Expectations = Expectations(r.Networks)
	if err := WriteTable(os.Stdout, r, 80); err != nil {
		panic(err)
	}
	// Output:
	// network             acc %   params     MACs  predicted ms  measured ms  speed-up
	// dense               91.32  175.0 k  26.51 M         9.800        10.00     1.00x
	// fine-tuned 0.5x     91.02  71.82 k  11.93 M         4.900        5.300     1.89x
	//
	// MISSED  0.5x measured latency, of dense: 0.530 x, at most 0.520 x
	// ok      0.5x accuracy lost: 0.300 points, at most 1.000 points
	// ok      0.5x predicted against measured: 7.547 %, at most 10.00 %
}
