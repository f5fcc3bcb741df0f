package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune/report"
)

// A trained network is cut without a data set; told of one, the same run measures
// accuracies, and at last fine-tunes.
func TestNoTrain(t *testing.T) {
	dir := finished(t)
	rows := func(text string) (names []string) {
		var r report.Run
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		for _, n := range r.Networks {
			names = append(names, strings.TrimSpace(n.Name+" "+n.Budget))
			assert.Equal(t, r.Dataset != "", n.Accuracy != nil, n.Name)
		}
		return names
	}
	magnitude, notTuned, notMeasured := "weights' magnitude", "not fine-tuned", "Accuracy is not measured"
	cut := filepath.Join(dir, "cut")

	o := ok(t, dir, "prune", "--no-train", "--weights", "run/weights.safetensors", "--size", "28", "--run", "cut")
	page, err := os.ReadFile(filepath.Join(cut, "report.html"))
	require.NoError(t, err)
	shown, err := os.ReadFile(filepath.Join(cut, "report.json"))
	require.NoError(t, err)
	for _, text := range []string{o.stdout, strings.ReplaceAll(string(page), "&#39;", "'"), string(shown)} {
		for _, caveat := range []string{magnitude, notTuned, notMeasured} {
			assert.Contains(t, text, caveat)
		}
	}
	assert.Equal(t, []string{"dense", "pruned 0.6x"}, rows(string(shown)))
	files := contents(t, dir)
	assert.Equal(t, files["run/weights.safetensors"], files["cut/weights.safetensors"])
	assert.NotContains(t, files, "cut/0.6x/finetuned.safetensors")
	assert.Contains(t, ok(t, dir, "score", "--run", "cut", "--json").stdout, `"magnitude"`)
	assertRefused(t, mdp(t, dir, "finetune", "--run", "cut", "--quiet"), exitFailed, "--no-train=false")

	o = ok(t, dir, "prune", "--run", "cut", "--data", "synthetic", "--json")
	assert.Equal(t, []string{"dense", "masked 0.6x", "pruned 0.6x"}, rows(o.stdout))
	assert.Equal(t, 4, strings.Count(o.stderr, "skipped"), "%s: score to extract", o.stderr)
	assert.NotContains(t, o.stdout, notMeasured)

	o = ok(t, dir, "prune", "--run", "cut", "--no-train=false", "--json")
	assert.Equal(t, []string{"dense", "masked 0.6x", "pruned 0.6x", "fine-tuned 0.6x"}, rows(o.stdout))
	for _, caveat := range []string{magnitude, notTuned, notMeasured} {
		assert.NotContains(t, o.stdout, caveat)
	}
}
