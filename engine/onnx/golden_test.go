package onnx

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/safetensors"
)

// TestGolden compares with what PyTorch computed of networks that its two exporters
// wrote (scripts/parity/run golden), as they come in and after they went out again.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.onnx")
	require.NoError(t, err)
	require.Len(t, files, 4)
	for _, path := range files {
		name, _, _ := strings.Cut(strings.TrimSuffix(path, ".onnx"), "-")
		batch, _, err := safetensors.Read(name + ".safetensors")
		require.NoError(t, err)
		images, outputs := batch["images"], batch["outputs"].Data().([]float32)
		n, err := Import(path, Options{})
		require.NoError(t, err, path)
		assertComputes(t, path, n, images.Data().([]float32), outputs, images.Shape()[0])
		for _, o := range []ExportOptions{{}, {Folded: true, Batch: 2}} {
			again, err := Convert(written(t, n.Graph, n.Weights, o), "again", "", Options{})
			require.NoError(t, err, path)
			assertComputes(t, path+" again", again, images.Data().([]float32), outputs, images.Shape()[0])
		}
	}
}

func assertComputes(t *testing.T, name string, n *Network, images, want []float32, batch int) {
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	p, err := engine.Compile(n.Graph, b, engine.Options{Mode: engine.Infer, Batch: batch})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.SetWeights(n.Weights))
	in, out := n.Graph.Shape(0), n.Graph.Shape(n.Graph.Len()-1)
	ours := make([]float32, len(images))
	n.Input.ToImages(ours, images, batch, in)
	logits, have := make([]float32, batch*out.Size()), make([]float32, len(want))
	require.NoError(t, p.Infer(logits, ours))
	n.Output.FromImages(have, logits, batch, out)
	assert.InDeltaSlice(t, want, have, 1e-4*float64(largest(want)), name)
}

func largest(v []float32) (m float32) {
	for _, x := range v {
		m = max(m, x, -x)
	}
	return m
}
