package main

import (
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

	ok(t, dir, "train", "--run", "other", "--net", "vgg11_bn", "--weights", "models/weights", "--quiet")
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
