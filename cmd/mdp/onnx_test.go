package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/onnx"
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
	assert.NoDirExists(t, filepath.Join(dir, "new"))
}

// Every node that stands in the way is listed, by the commands that look at a
// model; a run is refused in one line that names the command, and leaves nothing.
func TestUnsupportedNodes(t *testing.T) {
	dir := finished(t)
	ok(t, dir, "export", "run", "--budget", "dense", "--onnx", "dense.onnx")
	path := filepath.Join(dir, "dense.onnx")
	m, err := onnx.Read(path)
	require.NoError(t, err)
	var gone []string
	for i := range m.Graph.Nodes {
		if n := &m.Graph.Nodes[i]; n.OpType == "Relu" && len(gone) < 2 {
			n.OpType = "Erf"
			gone = append(gone, n.Name)
		}
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, onnx.Encode(f, m))
	require.NoError(t, f.Close())

	for _, args := range [][]string{{"import", "dense.onnx"}, {"inspect", "dense.onnx"}} {
		o := mdp(t, dir, args...)
		assertRefused(t, o, exitUsage, "dense.onnx: 2 of its nodes cannot be imported, on which 19 more depend; each is listed")
		for _, name := range gone {
			assert.Contains(t, o.stdout, `node "`+name+`" (Erf): this operator is not supported: it is a part of Gelu: train with Swish in its place`+"\n")
		}
	}
	o := mdp(t, dir, "prune", "--onnx", "dense.onnx", "--run", "new", "--quiet")
	assertRefused(t, o, exitFailed, "2 of its nodes cannot be imported, on which 19 more depend: mdp import dense.onnx lists them with the reasons")
	assert.NoDirExists(t, filepath.Join(dir, "new"))
}
