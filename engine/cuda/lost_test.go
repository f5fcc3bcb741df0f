//go:build cuda || emu

package cuda

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/train"
)

// littleTraining is eight steps on synthetic images, normalised by this mean and std.
func littleTraining(t *testing.T, b engine.Backend) (job train.Run, mean, std []float32) {
	images := data.Synthetic(64, 8, 8, 1, 4, 1)
	mean, std, err := data.MeanStd(images, 0)
	require.NoError(t, err)
	g, err := nets.Build("resnet8-cifar", nets.Options{Classes: 4, Input: graph.Shape{H: 8, W: 8, C: 1}, Width: 0.25})
	require.NoError(t, err)
	return train.Run{
		Graph: g, Weights: graph.InitWeights(g, 1), Backend: b, Train: images, Test: images, Normalise: data.Normalize(mean, std),
		Config: train.Config{Epochs: 2, Batch: 16, LearningRate: 0.02, Schedule: train.Cosine, Momentum: 0.9, Nesterov: true, Seed: 1},
	}, mean, std
}

// checkBytes trains from bytes and from images: the weights are the same, bit for bit.
func checkBytes(t *testing.T, b engine.Backend) {
	job, mean, std := littleTraining(t, b)
	job.Augment = []data.Step{data.RandomCrop(2), data.HorizontalFlip()}
	want, err := job.Do(t.Context())
	require.NoError(t, err)
	job.Recipe = &data.Recipe{Crop: 2, Flip: true, Mean: mean, Std: std}
	got, err := job.Do(t.Context())
	require.NoError(t, err)
	for i := range want.History {
		want.History[i].Seconds, got.History[i].Seconds = 0, 0
	}
	require.Equal(t, want.History, got.History)
	for name := range want.Weights {
		require.Equal(t, want.Weights.Data(name), got.Weights.Data(name), name)
	}
}

// checkLost loses the device in the middle of a training: the error says what was
// running, the last checkpoint stays good, and what goes on from it ends as a
// training that nothing happened to, bit for bit.
func checkLost(t *testing.T, b engine.Backend, fail, heal func(), says string) {
	job, _, _ := littleTraining(t, b)
	whole, err := job.Do(t.Context())
	require.NoError(t, err)

	job.Checkpoint, job.Every = filepath.Join(t.TempDir(), "checkpoint"), time.Nanosecond
	const after = 6 // steps
	job.Progress = func(step, _ int, _ engine.Metrics) {
		if step == after {
			fail()
		}
	}
	_, err = job.Do(t.Context())
	require.ErrorContains(t, err, says)
	heal()
	job.Progress = nil
	r, err := job.Do(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, r.Resumed, 4, "the epoch's end at least")
	for name := range whole.Weights {
		require.Equal(t, whole.Weights.Data(name), r.Weights.Data(name), name)
	}
}
