package prune

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/onnx"
	"mdp/engine/safetensors"
	"mdp/prune/report"
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
	require.NoError(t, safetensors.Write(c.Weights, graph.InitWeights(g, seed), layout))
}

// TestWeightsThatDoNotFit leave the network that was there as it was.
func TestWeightsThatDoNotFit(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	_, _, err := stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	other := c
	other.Net = "resnet14-cifar"
	_, _, err = stages(t, dir, other, StageTrain)
	require.ErrorContains(t, err, "the tensors do not fit")
	_, skipped, err := stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	require.Equal(t, []Stage{StageTrain}, skipped)
}

// Files of different runs do not mix: a step, a report and an export refuse what was
// made before something it was made of changed, and say which command makes it again.
func TestFilesOfDifferentRuns(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	c.Budgets = []string{"0.6x"}
	all := Stages()
	_, _, err := stages(t, dir, c, all...)
	require.NoError(t, err)
	refused := func(c Config, s Stage, says ...string) {
		t.Helper()
		_, _, err := stages(t, dir, c, s)
		require.Error(t, err)
		for _, word := range says {
			require.ErrorContains(t, err, word)
		}
	}

	other := c
	other.Step = 4
	refused(other, StageExtract, "its options are steps of 8 channels, not of 4", "run mdp solve again")
	other = c
	other.LatencyBatch = 2
	refused(other, StageEval, "of batch 1 on", "not of batch 2 on")

	writeGiven(t, c, 2)
	_, _, err = stages(t, dir, c, StageTrain)
	require.NoError(t, err)
	refused(c, StageReport, "eval.json was made before", "weights.safetensors changed: run mdp prune")
	refused(c, StageExtract, "scores.json was made before", "weights.safetensors changed: run mdp prune, or mdp score again")
	_, _, err = stages(t, dir, c, StageScore, StageSolve, StageExtract)
	require.NoError(t, err)
	refused(c, StageEval, filepath.Join("0.6x", "finetuned.safetensors")+" was made before", "or mdp finetune again")
	p, _, err := stages(t, dir, c)
	require.NoError(t, err)
	_, err = p.Deployable("0.6x")
	require.ErrorContains(t, err, "or mdp finetune again")
	_, err = p.Deployable(Dense)
	require.NoError(t, err)
	_, _, err = stages(t, dir, c, all...)
	require.NoError(t, err)

	// What another tool put there is taken as it is.
	for _, name := range []string{"problem.json", "solution.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o644))
	}
	c.Importance = Random
	_, _, err = stages(t, dir, c, StageScore, StageExtract)
	require.NoError(t, err)
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

// writeIDX writes a data set of 20 images of 28×28 in 10 classes, for training
// and for testing.
func writeIDX(t *testing.T, dir string, brightness byte) {
	for name, b := range map[string][]byte{
		"images-idx3-ubyte": append([]byte{0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 28, 0, 0, 0, 28}, bytes.Repeat([]byte{brightness}, 20*28*28)...),
		"labels-idx1-ubyte": append([]byte{0, 0, 8, 1, 0, 0, 0, 20}, bytes.Repeat([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 2)...),
	} {
		for _, half := range []string{"train-", "t10k-"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, half+name), b, 0o644))
		}
	}
}

// TestImagesAreKnownByTheirContent, not by the folder they lie in; and no number
// of threads changes what is trained.
func TestImagesAreKnownByTheirContent(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	skips := func(images string, threads int) bool {
		c.Data, c.Threads = images, threads
		_, skipped, err := stages(t, dir, c, StageTrain)
		require.NoError(t, err)
		return len(skipped) > 0
	}
	here, there := t.TempDir(), t.TempDir()
	writeIDX(t, here, 1)
	writeIDX(t, there, 1)
	require.False(t, skips(here, 1))
	require.True(t, skips(here, 1))
	require.True(t, skips(there, 2))
	writeIDX(t, there, 2)
	require.False(t, skips(there, 2))
}

// TestValidationAlone: images that nothing can be trained with tell the accuracy
// of a network that is not.
func TestValidationAlone(t *testing.T) {
	c := quick()
	c.Data, c.Size, c.Weights = t.TempDir(), 16, filepath.Join(t.TempDir(), "given.safetensors")
	for _, class := range []string{"cat", "dog"} {
		folder := filepath.Join(c.Data, "val", class)
		require.NoError(t, os.MkdirAll(folder, 0o755))
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16))))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "1.png"), b.Bytes(), 0o644))
	}
	g, err := nets.Build(c.Net, nets.Options{Classes: 2, Input: graph.Shape{H: 16, W: 16, C: 3}, Width: c.Width})
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(c.Weights, graph.InitWeights(g, 1), layout))
	dir := t.TempDir()
	_, _, err = stages(t, dir, c, StageTrain)
	require.ErrorContains(t, err, "none to train with")

	c.NoTrain = true
	p, _, err := stages(t, dir, c, c.stages()...)
	require.NoError(t, err)
	var networks []report.Network
	require.NoError(t, p.ReadJSON("eval.json", &networks))
	require.Equal(t, 0.5, *networks[0].Accuracy, "equal images of two classes")
}

// TestResizedCrop is a step of its own, and part of what was trained on.
func TestResizedCrop(t *testing.T) {
	c := quick()
	c.Crop, c.Flip = 0, false
	p, _, _ := stages(t, t.TempDir(), c)
	plain, err := p.trainedOn()
	require.NoError(t, err)
	require.Empty(t, p.augment())
	p.Config.ResizedCrop = 0.35
	resized, err := p.trainedOn()
	require.NoError(t, err)
	require.NotEqual(t, plain, resized)
	require.Len(t, p.augment(), 1)
	shown := data.Image{H: 28, W: 28, C: 1, Pix: make([]float32, 28*28)}
	require.NoError(t, p.augment()[0](&shown, rand.New(rand.NewPCG(1, 1))))
	require.Equal(t, []int{28, 28}, []int{shown.H, shown.W})
}

// TestLayersToFixAreCheckedFirst, before hours of training.
func TestLayersToFixAreCheckedFirst(t *testing.T) {
	c := quick()
	c.Fix = []string{"conv99"}
	p, _, err := stages(t, t.TempDir(), c, StageTrain)
	require.ErrorContains(t, err, `"conv99"`)
	require.NoFileExists(t, p.Path("weights.safetensors"))
}

// TestScoresDependOnWhatTheyRead: magnitudes on no image and no layer to fix.
func TestScoresDependOnWhatTheyRead(t *testing.T) {
	dir, c := t.TempDir(), given(t)
	c.Importance = Magnitude
	_, _, err := stages(t, dir, c, StageTrain, StageScore)
	require.NoError(t, err)
	c.Fix, c.ScoreBatches, c.Data = []string{"conv1"}, 7, "elsewhere"
	_, skipped, err := stages(t, dir, c, StageScore)
	require.NoError(t, err)
	require.Equal(t, []Stage{StageScore}, skipped)
}

// TestStoppedTrainingWaits while another configuration runs to its end, or
// diverges, in the same folder.
func TestStoppedTrainingWaits(t *testing.T) {
	dir, c := t.TempDir(), quick()
	first := 0 // the first step a training tells of
	train := func(c Config, stopAt int) error {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		first = 0
		p, err := NewPipeline(dir, c, func(e Event) {
			if e.Kind == Progress && first == 0 {
				first = e.Done
			}
			if e.Kind == Progress && e.Done == stopAt {
				stop()
			}
		})
		require.NoError(t, err)
		defer p.Close()
		return p.Run(ctx, StageTrain)
	}
	require.ErrorIs(t, train(c, 5), context.Canceled)

	diverging := c
	diverging.LearningRate = 1e30
	require.ErrorContains(t, train(diverging, 0), "lower learning rate")
	lower := c
	lower.LearningRate /= 2
	require.NoError(t, train(lower, 0))
	require.Equal(t, 1, first)
	require.NoError(t, train(lower, 0))
	require.Equal(t, 0, first, "it is done")

	require.NoError(t, train(c, 0))
	require.Equal(t, 6, first, "where it was stopped")
	left, err := filepath.Glob(filepath.Join(dir, "*.checkpoint"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestTableOfAnotherBuild is set aside: its rows are neither mixed nor lost.
func TestTableOfAnotherBuild(t *testing.T) {
	p, _, _ := stages(t, t.TempDir(), quick())
	require.NoError(t, p.openDevice())
	h, err := bench.NewHeader(p.Backend, 1, bench.CallRule())
	require.NoError(t, err)
	old := h
	old.Build, old.Date = "before", time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC)
	write := func() {
		table, err := bench.OpenTable(p.Path("latency.jsonl"), old)
		require.NoError(t, err)
		require.NoError(t, table.Close())
	}
	write()
	table, err := p.table(h)
	require.NoError(t, err)
	require.NoError(t, table.Close())
	now, _, err := bench.ReadTable(p.Path("latency.jsonl"))
	require.NoError(t, err)
	require.Equal(t, h, now)
	kept, _, err := bench.ReadTable(p.Path("latency.20240229T010203Z.jsonl"))
	require.NoError(t, err)
	require.Equal(t, old, kept)

	require.NoError(t, os.Remove(p.Path("latency.jsonl")))
	write()
	_, err = p.table(h)
	require.ErrorContains(t, err, "is there already")
	require.FileExists(t, p.Path("latency.jsonl"))
}

// TestModelOfAnotherSize, or of other classes, than the images: one line.
func TestModelOfAnotherSize(t *testing.T) {
	c := quick()
	for _, m := range []struct {
		side, classes int
		says          string
	}{{14, 10, "takes 14×14×1 and tells 10 apart: --size 14 scales"}, {28, 7, "tells 7 apart: name the data"}} {
		g, err := nets.Build(c.Net, nets.Options{Classes: m.classes, Input: graph.Shape{H: m.side, W: m.side, C: 1}, Width: c.Width})
		require.NoError(t, err)
		model, err := onnx.Export(g, graph.InitWeights(g, 1), onnx.ExportOptions{})
		require.NoError(t, err)
		c.ONNX = filepath.Join(t.TempDir(), "model.onnx")
		f, err := os.Create(c.ONNX)
		require.NoError(t, err)
		require.NoError(t, onnx.Encode(f, model))
		require.NoError(t, f.Close())
		_, _, err = stages(t, t.TempDir(), c, StageTrain)
		require.ErrorContains(t, err, m.says)
		require.NotContains(t, err.Error(), "\n")
	}
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
