package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/safetensors"
)

// job is a training of a second or less.
func job(t testing.TB, checkpoint string) Run {
	images := data.Synthetic(480, 12, 12, 2, 4, 1)
	g, err := nets.Build("resnet8-cifar", nets.Options{Classes: 4, Input: graph.Shape{H: 12, W: 12, C: 2}, Width: 0.5})
	require.NoError(t, err)
	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	mean, std, err := data.MeanStd(images, 0)
	require.NoError(t, err)
	return Run{
		Graph: g, Weights: graph.InitWeights(g, 1), Backend: b, Train: images, Test: data.Synthetic(100, 12, 12, 2, 4, 2),
		Augment: []data.Step{data.RandomCrop(1), data.HorizontalFlip()}, Normalise: data.Normalize(mean, std),
		Config: Config{Epochs: 3, Batch: 16, LearningRate: 0.1, Schedule: Cosine, WarmupEpochs: 0.5,
			Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4, LabelSmoothing: 0.1, Seed: 7},
		Checkpoint: checkpoint, Every: time.Millisecond,
	}
}

func requireEqualWeights(t *testing.T, want, got graph.Weights) {
	require.Len(t, got, len(want))
	for name := range want {
		require.Equal(t, want.Data(name), got.Data(name), name)
	}
}

func TestLearns(t *testing.T) {
	r, err := job(t, "").Do(context.Background())
	require.NoError(t, err)
	require.Len(t, r.History, 3)
	require.Greater(t, r.History[2].TestAccuracy, 0.8)
	require.Less(t, r.History[2].Loss, r.History[0].Loss)
}

// TestStop cancels after a given number of steps, several times, and compares
// with a run that was left alone.
func TestStop(t *testing.T) {
	whole, err := job(t, "").Do(context.Background())
	require.NoError(t, err)
	j := job(t, filepath.Join(t.TempDir(), "checkpoint"))
	j.Every = time.Hour // only stopping writes one
	for _, steps := range []int{1, 29, 1, 17, 30} {
		ctx, stop := context.WithCancel(context.Background())
		n := 0
		j.Progress = func(int, int, engine.Metrics) {
			if n++; n == steps {
				stop()
			}
		}
		_, err := j.Do(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
	j.Progress = nil
	r, err := j.Do(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1+29+1+17+30, r.Resumed)
	requireEqualWeights(t, whole.Weights, r.Weights)
	for i := range whole.History {
		whole.History[i].Seconds, r.History[i].Seconds = 0, 0
	}
	require.Equal(t, whole.History, r.History)
	again, err := j.Do(context.Background())
	require.NoError(t, err)
	requireEqualWeights(t, whole.Weights, again.Weights)
}

// TestStopInEvaluation stops after the last step of an epoch, before the epoch
// is written down.
func TestStopInEvaluation(t *testing.T) {
	whole, err := job(t, "").Do(context.Background())
	require.NoError(t, err)
	j := job(t, filepath.Join(t.TempDir(), "checkpoint"))
	j.Every = time.Hour
	for _, epoch := range []int{1, 3} {
		ctx, stop := context.WithCancel(context.Background())
		j.Progress = func(step, _ int, _ engine.Metrics) {
			if step == 30*epoch {
				stop()
			}
		}
		_, err := j.Do(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
	j.Progress = nil
	r, err := j.Do(context.Background())
	require.NoError(t, err)
	require.Equal(t, 90, r.Resumed, "nothing is left but to evaluate")
	require.Len(t, r.History, 3)
	requireEqualWeights(t, whole.Weights, r.Weights)
}

// TestKill kills a training process at random until it gets through.
func TestKill(t *testing.T) {
	const dirKey = "MDP_TEST_TRAIN_DIR"
	if dir := os.Getenv(dirKey); dir != "" { // the process to be killed
		r, err := job(t, filepath.Join(dir, "checkpoint")).Do(context.Background())
		require.NoError(t, err)
		require.NoError(t, safetensors.Write(filepath.Join(dir, "weights"), r.Weights, nil))
		return
	}
	whole, err := job(t, "").Do(context.Background())
	require.NoError(t, err)
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	killed := 0
	for {
		c := exec.Command(os.Args[0], "-test.run=^TestKill$", "-test.count=1")
		c.Env = append(os.Environ(), dirKey+"="+dir)
		require.NoError(t, c.Start())
		// Later and later, so that a slow machine gets through as well.
		timer := time.AfterFunc(time.Duration(20+r.IntN(60)+20*killed)*time.Millisecond, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		killed++
		require.Less(t, killed, 200, "never got through")
	}
	t.Logf("killed %d times", killed)
	require.Positive(t, killed)
	got, _, err := safetensors.Read(filepath.Join(dir, "weights"))
	require.NoError(t, err)
	requireEqualWeights(t, whole.Weights, got)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, left, 2, "only the checkpoint and the weights")
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "checkpoint")
	ctx, stop := context.WithCancel(context.Background())
	j := job(t, path)
	j.Progress = func(step, _ int, _ engine.Metrics) {
		if step == 3 {
			stop()
		}
	}
	_, err := j.Do(ctx)
	require.ErrorIs(t, err, context.Canceled)
	good, err := os.ReadFile(path)
	require.NoError(t, err)

	other := job(t, path)
	other.Config.LearningRate /= 2
	_, err = other.Do(context.Background())
	require.ErrorContains(t, err, "another network or configuration")

	other = job(t, path)
	other.Weights = graph.InitWeights(other.Graph, 2)
	_, err = other.Do(context.Background())
	require.ErrorContains(t, err, "other first weights")

	other = job(t, path)
	other.Images = "others"
	_, err = other.Do(context.Background())
	require.ErrorContains(t, err, "other images")

	bad := append([]byte(nil), good...)
	bad[len(bad)-5] ^= 1
	require.NoError(t, os.WriteFile(path, bad, 0o644))
	_, err = job(t, path).Do(context.Background())
	require.ErrorContains(t, err, "checksum")

	require.NoError(t, os.WriteFile(path, good[:len(good)/2], 0o644))
	_, err = job(t, path).Do(context.Background())
	require.ErrorContains(t, err, "delete the checkpoint")

	diverge := job(t, "")
	diverge.Config.LearningRate = 1e20
	_, err = diverge.Do(context.Background())
	require.ErrorContains(t, err, "lower learning rate")

	// The only update is the last: no later step's loss tells of it.
	atTheEnd := job(t, path+".new")
	atTheEnd.Config.LearningRate, atTheEnd.Config.WarmupEpochs = 1e30, 0
	atTheEnd.Config.Epochs, atTheEnd.Config.Batch = 1, atTheEnd.Train.Len()
	_, err = atTheEnd.Do(context.Background())
	require.ErrorContains(t, err, "lower learning rate")
	require.NoFileExists(t, path+".new")

	large := job(t, "")
	large.Config.Batch = 1000
	_, err = large.Do(context.Background())
	require.ErrorContains(t, err, "smaller batch")
}

// TestBadWeightsAreNotWritten: an activation may hide a NaN from the loss.
func TestBadWeightsAreNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	trainer, err := job(t, path).start()
	require.NoError(t, err)
	defer trainer.close()
	w, err := trainer.program.Weights()
	require.NoError(t, err)
	w.Data("conv1.weight")[3] = float32(math.NaN())
	require.NoError(t, trainer.program.SetWeights(w))
	trainer.saved.Step = trainer.perEpoch
	require.ErrorContains(t, trainer.finishEpoch(context.Background()), "conv1.weight has a weight of NaN at step 29")
	require.NoFileExists(t, path)
}

func TestRate(t *testing.T) {
	c := Config{Epochs: 10, LearningRate: 2, WarmupEpochs: 1, Schedule: Linear}
	const perEpoch = 100
	for _, s := range []struct {
		schedule Schedule
		step     int
		want     float64
	}{
		{Linear, 0, 0.02}, {Linear, 49, 1}, {Linear, 100, 2}, {Linear, 550, 1}, {Linear, 1000, 0},
		{Cosine, 100, 2}, {Cosine, 550, 1}, {Cosine, 1000, 0}, {Cosine, 325, 1 + math.Cos(math.Pi/4)},
		{Steps, 100, 2}, {Steps, 399, 2}, {Steps, 400, 0.2}, {Steps, 700, 0.02}, {Steps, 900, 0.002},
	} {
		c.Schedule = s.schedule
		require.InDelta(t, s.want, c.rate(s.step, perEpoch), 1e-9, fmt.Sprintf("%s at step %d", s.schedule, s.step))
	}
}

func TestConfigCheck(t *testing.T) {
	good := job(t, "").Config
	require.NoError(t, good.Check())
	for want, change := range map[string]func(*Config){
		"epochs 0":           func(c *Config) { c.Epochs = 0 },
		"batch -1":           func(c *Config) { c.Batch = -1 },
		"learning rate +Inf": func(c *Config) { c.LearningRate = math.Inf(1) },
		"weight decay +Inf":  func(c *Config) { c.WeightDecay = math.Inf(1) },
		"learning rate NaN":  func(c *Config) { c.LearningRate = math.NaN() },
		"warm-up of 4":       func(c *Config) { c.WarmupEpochs = 4 },
		"momentum 1":         func(c *Config) { c.Momentum = 1 },
		"weight decay -1":    func(c *Config) { c.WeightDecay = -1 },
		"label smoothing 1":  func(c *Config) { c.LabelSmoothing = 1 },
		`schedule "slow"`:    func(c *Config) { c.Schedule = "slow" },
	} {
		c := good
		change(&c)
		require.ErrorContains(t, c.Check(), want)
	}
}
