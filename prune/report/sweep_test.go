package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sampleSweep is four runs: two done, one failed, one under way.
func sampleSweep() Sweep {
	return Sweep{Title: "widths & seeds", Axes: []string{"net", "seed"}, Runs: []SweepRun{
		{Name: "resnet14-cifar_seed-1", Values: []string{"resnet14-cifar", "1"}, State: "done", Device: "cpu", Seconds: 61, Networks: sample().Networks},
		{Name: "resnet14-cifar_seed-2", Values: []string{"resnet14-cifar", "2"}, State: "done", Device: "cpu", Seconds: 62.5, Networks: sample().Networks},
		{Name: "vgg_seed-1", Values: []string{"<vgg>", "1"}, State: "failed", Device: "cuda:0", Failures: 2, Error: "out of <memory>, \"all\" of it", Seconds: 1},
		{Name: "vgg_seed-2", Values: []string{"<vgg>", "2"}, State: "waiting"},
	}}
}

func TestSweepPage(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteSweepHTML(&b, sampleSweep()))
	page := b.String()
	if path := os.Getenv("MDP_SWEEP_SAMPLE"); path != "" { // to look at it in a browser
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	report := `href="resnet14-cifar_seed-1/report.html"`
	assert.Contains(t, page, report)
	checkPage(t, regexp.MustCompile(` href="[^":]*/report\.html"`).ReplaceAllString(page, "")) // beside it, all else is in it
	for _, want := range []string{"2 of 4 runs done", "1 of 4 runs failed", "out of &lt;memory&gt;", "widths &amp; seeds", "91.41", "1.43×", "<svg"} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "<vgg>")
	assert.Equal(t, 2*3+2, strings.Count(page, `<tr><th scope="row">`))

	b.Reset()
	require.NoError(t, WriteSweepHTML(&b, Sweep{}))
	checkPage(t, b.String())
	assert.NotContains(t, b.String(), "<svg")
}

func TestSweepTable(t *testing.T) {
	for _, width := range []int{0, 80, 60} {
		var b bytes.Buffer
		require.NoError(t, WriteSweepTable(&b, sampleSweep(), width))
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		require.Len(t, lines, 1+2*3+2)
		for _, l := range lines {
			assert.True(t, width == 0 || utf8.RuneCountInString(l) <= width, l)
		}
		if width == 80 {
			assert.Equal(t, "resnet14-cifar_seed-1 0.7x    91.41    +0.09     1.43x   6.902  121.0 k", lines[1])
			assert.Equal(t, "vgg_seed-1                   failed  out of <memory>, \"all\" of it", lines[7])
		}
	}
}

// However narrow the table, no two of its lines begin alike; and a run's only
// budget is not said again.
func TestSweepTableNames(t *testing.T) {
	var s Sweep
	for _, seed := range []string{"1", "2"} {
		r := SweepRun{Name: "resnet14-cifar_with-a-long-name_seed-" + seed + "_budget-0.5x", State: "done"}
		for _, n := range sample().Networks {
			if n.Budget == "" || n.Budget == "0.5x" {
				r.Networks = append(r.Networks, n)
			}
		}
		s.Runs = append(s.Runs, r)
	}
	for _, width := range []int{120, 80, 60} {
		var b bytes.Buffer
		require.NoError(t, WriteSweepTable(&b, s, width))
		lines := strings.Split(b.String(), "\n")
		assert.NotEqual(t, strings.Fields(lines[1])[0], strings.Fields(lines[2])[0], "%d columns", width)
		assert.NotContains(t, lines[1], "0.5x 0.5x")
	}
}

// The CSV holds what the JSON holds, to the last digit.
func TestSweepCSV(t *testing.T) {
	s := sampleSweep()
	s.Runs[0].Networks[0].Accuracy = new(math.NaN())
	var b bytes.Buffer
	require.NoError(t, WriteSweepCSV(&b, s))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+2*3+2)
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	assert.Equal(t, "", rows[1][at["dense_accuracy"]], "NaN is not known")
	assert.Equal(t, "0.9132", rows[4][at["dense_accuracy"]])
	assert.Equal(t, "0.9141", rows[4][at["accuracy"]])
	assert.Equal(t, "2", rows[4][at["seed"]])
	assert.Equal(t, "6.902", rows[4][at["measured_ms"]])
	assert.Equal(t, s.Runs[2].Error, rows[7][at["error"]])

	b.Reset()
	require.NoError(t, WriteSweepJSON(&b, s))
	var back Sweep
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.Nil(t, back.Runs[0].Networks[0].Accuracy)
	assert.Equal(t, s.Runs[1].Networks[1].MeasuredMS, back.Runs[1].Networks[1].MeasuredMS)
	assert.Equal(t, s.Runs[3], back.Runs[3])
	assert.True(t, math.IsNaN(*s.Runs[0].Networks[0].Accuracy), "the argument was changed")
}
