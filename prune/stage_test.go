package prune

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/safetensors"
)

// stages opens a run folder, runs stages, and tells which of them were skipped.
func stages(t *testing.T, dir string, c Config, s ...Stage) (p *Pipeline, skipped []Stage, err error) {
	p, err = NewPipeline(dir, c, func(e Event) {
		if e.Kind == Skip {
			skipped = append(skipped, e.Stage)
		}
	})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	if len(s) > 0 {
		err = p.Run(context.Background(), s...)
		require.NoError(t, p.Close())
	}
	return p, skipped, err
}

// given is a run whose network need not be trained.
func given(t *testing.T) Config {
	c := quick()
	c.Weights = filepath.Join(t.TempDir(), "given.safetensors")
	writeGiven(t, c, 1)
	return c
}

func writeGiven(t *testing.T, c Config, seed uint64) {
	g, err := nets.Build(c.Net, nets.Options{Classes: 10, Input: graph.Shape{H: 28, W: 28, C: 1}, Width: c.Width})
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(c.Weights, graph.InitWeights(g, seed), nil))
}

// TestWeightsThatDoNotFit leave the network that was there as it was.
func TestWeightsThatDoNotFit(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	_, _, err := stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	other := c
	other.Net = "resnet14-cifar"
	_, _, err = stages(t, dir, other, StageTrain)
	require.ErrorContains(t, err, "weights do not fit")
	_, skipped, err := stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	require.Equal(t, []Stage{StageTrain}, skipped)
}

// TestGivenWeightsAreReadAgain when the file has others.
func TestGivenWeightsAreReadAgain(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	_, _, err := stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	writeGiven(t, c, 2)
	_, skipped, err := stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	require.Empty(t, skipped)
}

// TestImagesOfAnotherSize than the run's network takes.
func TestImagesOfAnotherSize(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := stages(t, dir, quick())
	g, err := nets.Build("resnet8-cifar", nets.Options{Classes: 10, Input: graph.Shape{H: 12, W: 12, C: 1}, Width: 0.5})
	require.NoError(t, err)
	require.NoError(t, p.Write("graph.json", g.Write))
	require.NoError(t, p.writeWeights("weights.safetensors", graph.InitWeights(g, 1)))
	_, _, err = stages(t, dir, quick(), StageScore)
	require.ErrorContains(t, err, "12×12×1")
}
