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

// An ONNX file, folded as exporters write them, is pruned like a network of ours:
// what was exported has the accuracy it had, and what is cut from it is fine-tuned
// and exported again.
func TestPruneONNX(t *testing.T) {
	dir := finished(t)
	read := func(text string) (r report.Run) {
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		return r
	}
	was := read(ok(t, dir, "report", "run", "--json").stdout)
	ok(t, dir, "export", "run", "--budget", "dense", "--onnx", "dense.onnx")

	o := ok(t, dir, "prune", "--onnx", "dense.onnx", "--json")
	is := read(o.stdout)
	assert.Equal(t, "dense", is.Model)
	assert.Equal(t, *was.Networks[0].Accuracy, *is.Networks[0].Accuracy, "to the image")
	assert.Len(t, is.Networks, len(was.Networks))
	ok(t, dir, "export", "runs/dense", "--onnx", "small.onnx")
	small := read(ok(t, dir, "prune", "--onnx", "small.onnx", "--no-train", "--data", "synthetic", "--json").stdout)
	assert.Equal(t, *is.Networks[3].Accuracy, *small.Networks[0].Accuracy, "to the image")

	// The run has a copy: without the file it goes on, with another it begins again.
	before := contents(t, filepath.Join(dir, "runs"))
	require.NoError(t, os.Remove(filepath.Join(dir, "dense.onnx")))
	o = ok(t, dir, "train", "--run", "runs/dense")
	assert.Contains(t, o.stderr, "the run has a copy")
	assert.Contains(t, o.stderr, "train           skipped")
	assert.Equal(t, before["dense/weights.safetensors"], contents(t, filepath.Join(dir, "runs"))["dense/weights.safetensors"])
	require.NoError(t, os.Rename(filepath.Join(dir, "small.onnx"), filepath.Join(dir, "dense.onnx")))
	o = ok(t, dir, "train", "--run", "runs/dense")
	assert.Contains(t, o.stderr, "train           begins")

	o = mdp(t, dir, "prune", "--quiet", "--onnx", "dense.onnx", "--run", "gone", "--data", "synthetic", "--size", "30")
	assertRefused(t, o, exitFailed, "28×28")
	require.NoError(t, os.Remove(filepath.Join(dir, "dense.onnx")))
	assertRefused(t, mdp(t, dir, "prune", "--quiet", "--onnx", "dense.onnx", "--run", "new"), exitFailed, "dense.onnx: no such file")
	assert.NotContains(t, strings.Join(names(t, filepath.Join(dir, "new")), " "), "graph.json")
}

// names of a folder's files.
func names(t *testing.T, dir string) (all []string) {
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}
