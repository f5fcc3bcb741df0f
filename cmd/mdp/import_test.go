package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A network goes out as a file of weights and comes in again: the same network,
// which a run takes in place of training one.
func TestImport(t *testing.T) {
	dir := finished(t)
	out := ok(t, dir, "import", "run/weights.safetensors", "--size", "28")
	assert.True(t, strings.HasPrefix(out.stdout, filepath.Join("models", "weights")+": resnet8-cifar for images of 28×28×"), out.stdout)
	files := contents(t, dir)
	for _, name := range []string{"graph.json", "weights.safetensors"} {
		assert.Equal(t, files["run/"+name], files["models/weights/"+name], name)
	}
	assertKeys(t, ok(t, dir, "import", "run/weights.safetensors", "--size", "28", "--json").stdout, []string{"folder", "net", "parameters", "macs"})

	ok(t, dir, "import", "run/weights.safetensors", "--size", "28", "--normalise", "0.3/0.4")
	ok(t, dir, "train", "--run", "other", "--net", "vgg11_bn", "--weights", "models/weights", "--quiet")
	assert.Equal(t, contents(t, dir)["models/weights/input.json"], contents(t, dir)["other/input.json"])
	files = contents(t, dir)
	for _, name := range []string{"graph.json", "weights.safetensors"} {
		require.Contains(t, files, "other/"+name)
		assert.Equal(t, files["run/"+name], files["other/"+name], name)
	}

	o := mdp(t, dir, "import", "run/weights.safetensors", "--net", "resnet14-cifar")
	assert.Equal(t, exitUsage, o.code)
	assert.Contains(t, o.stdout, "missing in the file: layer1.1.conv1.weight [4 3 3 4]\n")
	assert.Equal(t, 30, strings.Count(o.stdout, "\n"))
}

// A network that was cut goes out in each form, and comes in again by the channels
// kept: the same network. A model folder goes out as well.
func TestExport(t *testing.T) {
	dir := finished(t)
	out := ok(t, dir, "export", "run", "--onnx", "o/small.onnx", "--safetensors", "o/small.safetensors", "--pytorch", "o/python")
	for _, name := range []string{"small.onnx", "small.safetensors", "small.safetensors.kept.json", "python/model.py", "python/model.safetensors"} {
		assert.FileExists(t, filepath.Join(dir, "o", name))
		assert.Contains(t, out.stdout, filepath.Join("o", name))
	}
	ok(t, dir, "import", "o/small.safetensors", "--net", "resnet8-cifar", "--kept", "o/small.safetensors.kept.json", "--size", "28", "--out", "back")
	files := contents(t, dir)
	assert.Equal(t, files["run/0.6x/graph.json"], files["back/graph.json"])
	assert.Equal(t, files["run/0.6x/finetuned.safetensors"], files["back/weights.safetensors"])
	assert.Equal(t, files["o/small.safetensors"], files["o/python/model.safetensors"])

	source, err := os.ReadFile(filepath.Join(dir, "o", "python", "model.py"))
	require.NoError(t, err)
	for _, fact := range []string{"network: resnet8-cifar\n", "budget: 0.6x\n", "device: cpu", "predicted_ms: ", "pruned: "} {
		assert.Contains(t, string(source), fact)
	}

	ok(t, dir, "export", "back", "--onnx", "o/back.onnx", "--keep-norms")
	ok(t, dir, "export", "run", "--budget", "dense", "--onnx", "o/dense.onnx", "--safetensors", "o/dense.safetensors", "--batch", "2", "--fp16")
	assert.NoFileExists(t, filepath.Join(dir, "o", "dense.safetensors.kept.json"))
	ok(t, dir, "import", "o/dense.safetensors", "--size", "28", "--out", "dense")
	files = contents(t, dir)
	assert.Equal(t, files["run/weights.safetensors"], files["dense/weights.safetensors"])
	assertKeys(t, ok(t, dir, "export", "run", "--onnx", "o/small.onnx", "--json").stdout, []string{"file", "parameters", "macs", "bytes"})
}

// An ONNX model brings its network along; of one that cannot be imported, each
// node in the way is named.
func TestImportONNX(t *testing.T) {
	cases, err := filepath.Abs(filepath.Join("..", "..", "engine", "onnx", "testdata", "cases"))
	require.NoError(t, err)
	dir := t.TempDir()
	out := ok(t, dir, "import", filepath.Join(cases, "view_chain.onnx"), "--out", "m")
	assert.Equal(t, "m: view_chain for images of 6×5×4, 3 classes, 511 parameters, 0.00 MMAC\n", out.stdout)
	ok(t, dir, "export", "m", "--onnx", "again.onnx")
	ok(t, dir, "import", "again.onnx", "--out", "again")
	files := contents(t, dir)
	assert.Equal(t, files["m/weights.safetensors"], files["again/weights.safetensors"])

	o := mdp(t, dir, "import", filepath.Join(cases, "pads.onnx"), "--output-name", "q", "--out", "n")
	assertRefused(t, o, exitUsage, "padded image")
	assertRefused(t, mdp(t, dir, "import", filepath.Join(cases, "pads.onnx"), "--size", "7", "--out", "n"), exitUsage, "not of --size 7")
}
