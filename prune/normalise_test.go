package prune

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

func TestNormalisation(t *testing.T) {
	for text, want := range map[string][2][]float32{
		"imagenet":          {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
		"none":              {{0}, {1}},
		"0.286/0.353":       {{0.286}, {0.353}},
		"-1,2.5,3e-2/1,2,3": {{-1, 2.5, 0.03}, {1, 2, 3}},
	} {
		n, err := parseNormalisation(text)
		require.NoError(t, err, text)
		assert.Equal(t, Normalisation{want[0], want[1]}, n, text)
	}
	n, err := ReadNormalisation("0.5/1,2,4", 3)
	require.NoError(t, err)
	assert.Equal(t, Normalisation{[]float32{0.5, 0.5, 0.5}, []float32{1, 2, 4}}, n)
	_, err = ReadNormalisation("imagenet", 1)
	require.ErrorContains(t, err, `normalise "imagenet": 3 numbers for images of 1 channels`)
}

// TestNormalisationComesWithTheModel, or with the run, and every later step keeps
// to it; else the images' own is taken, which the report says.
func TestNormalisationComesWithTheModel(t *testing.T) {
	file := given(t)
	folder := file
	folder.Weights = filepath.Join(t.TempDir(), "model")
	g, err := nets.Build(file.Net, nets.Options{Classes: 10, Input: graph.Shape{H: 28, W: 28, C: 1}, Width: file.Width})
	require.NoError(t, err)
	w, err := readWeights(file.Weights, g)
	require.NoError(t, err)
	odd := Normalisation{[]float32{0.9}, []float32{3}}
	require.NoError(t, WriteModel(folder.Weights, g, w, &odd))

	scored := func(c Config) (dir, scores string, caveats int) {
		dir = t.TempDir()
		_, _, err := stages(t, dir, c, StageTrain)
		require.NoError(t, err)
		p, _, err := stages(t, dir, c, StageScore)
		require.NoError(t, err)
		b, err := os.ReadFile(p.Path("scores.json"))
		require.NoError(t, err)
		return dir, string(b), len(p.caveats())
	}
	dir, with, caveats := scored(folder)
	assert.Zero(t, caveats)
	n, err := readInput(dir)
	require.NoError(t, err)
	assert.Equal(t, &odd, n)
	_, plain, caveats := scored(file)
	assert.NotEqual(t, with, plain)
	assert.Equal(t, 1, caveats)
	file.Normalise = "0.9/3"
	_, said, caveats := scored(file)
	assert.Equal(t, with, said)
	assert.Zero(t, caveats)

	require.NoError(t, WriteModel(folder.Weights, g, w, nil))
	_, skipped, err := stages(t, dir, folder, StageTrain, StageScore)
	require.NoError(t, err)
	assert.Empty(t, skipped, "another normalisation is another model")
	require.NoError(t, os.WriteFile(filepath.Join(folder.Weights, inputFile), []byte(`{"mean":[1,2],"std":[1]}`), 0o644))
	_, _, err = stages(t, dir, folder, StageTrain)
	require.ErrorContains(t, err, "input.json says of the network: 2 numbers for images of 1 channels")
}
