//go:build cuda

package cuda

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/train"
)

// TestTraining trains the demo's network on the processor and on the machine's
// first GPU, in each precision, to the same accuracy. $MDP_DATA holds Fashion-MNIST
// or its beginning; -short takes a few synthetic images. What each training came to
// goes to $MDP_OUT/train.json.
func TestTraining(t *testing.T) {
	d := firstGPU(t)
	name, width, set, batch, epochs := "resnet14-cifar", 1., "fashion-mnist", 128, 2
	if testing.Short() {
		name, width, set, batch, epochs = "resnet8-cifar", 0.25, "synthetic", 16, 1
	}
	training, test, err := data.Open(set, 0)
	if err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		training, test = data.Synthetic(64, 8, 8, 1, 4, 1), data.Synthetic(32, 8, 8, 1, 4, 2)
	}
	mean, std, err := data.MeanStd(training, 0)
	require.NoError(t, err)
	g, err := nets.Build(name, nets.Options{Classes: len(training.Classes), Input: graph.Shape{H: training.H, W: training.W, C: training.C}, Width: width})
	require.NoError(t, err)
	processor, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	backends := []engine.Backend{processor}
	for _, p := range precisions {
		backends = append(backends, backend(t, d, p))
	}

	type trained struct {
		Backend string        `json:"backend"`
		History []train.Epoch `json:"history"`
	}
	var all []trained
	for _, b := range backends {
		r, err := train.Run{
			Graph: g, Weights: graph.InitWeights(g, 1), Backend: b, Train: training, Test: test, Normalise: data.Normalize(mean, std),
			Config: train.Config{Epochs: epochs, Batch: batch, LearningRate: 0.2, Schedule: train.Cosine, WarmupEpochs: 0.3,
				Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4, Seed: 1},
		}.Do(t.Context())
		require.NoError(t, err)
		all = append(all, trained{b.Name(), r.History})
		last := r.History[len(r.History)-1]
		t.Logf("%s: accuracy %.4f, %.0f images/s", b.Name(), last.TestAccuracy, float64(training.Len())/last.Seconds)
		if dir := os.Getenv("MDP_OUT"); dir != "" {
			text, err := json.MarshalIndent(all, "", "  ")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "train.json"), text, 0o644))
		}
		if !testing.Short() { // else there is nothing to be accurate about
			want := all[0].History[epochs-1].TestAccuracy
			assert.GreaterOrEqual(t, last.TestAccuracy, want-0.02, b.Name())
		}
	}
}
