//go:build emu || cuda

package prune

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine/data"
	"mdp/engine/train"
	"mdp/prune/report"
)

// writeGratings writes small sets that a network learns, as IDX files.
func writeGratings(t *testing.T, dir string, side int) {
	for half, s := range map[string]*data.Set{"train-": data.Synthetic(96, side, side, 1, 4, 1), "t10k-": data.Synthetic(40, side, side, 1, 4, 2)} {
		images := []byte{0, 0, 8, 3}
		for _, n := range []int{s.Len(), side, side} {
			images = binary.BigEndian.AppendUint32(images, uint32(n))
		}
		labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(s.Len()))
		pixels := make([]byte, side*side)
		for i := range s.Len() {
			require.NoError(t, s.Read(pixels, i))
			images, labels = append(images, pixels...), append(labels, byte(s.Labels[i]))
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, half+"images-idx3-ubyte"), images, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, half+"labels-idx1-ubyte"), labels, 0o644))
	}
}

// TestDeviceRunsTheWholeFlow runs every stage on a GPU or its emulation, and those whose
// results do not depend on time come to what the processor makes of them.
func TestDeviceRunsTheWholeFlow(t *testing.T) {
	skipWithout(t)
	c := quick()
	c.Data, c.Crop, c.Budgets = t.TempDir(), 1, []string{"0.95x"}
	c.Batch, c.ScoreBatches, c.Epochs, c.LearningRate, c.WarmupEpochs = 16, 2, 1, 0.02, 0
	writeGratings(t, c.Data, 8)

	type outcome struct {
		history []train.Epoch
		scores  Scores
		dense   report.Network
	}
	run := func(device string) (o outcome) {
		dir := t.TempDir()
		c.Device = device
		_, _, err := stages(t, dir, c, Stages()...)
		require.NoError(t, err)
		// Nothing needs the device to tell what it did.
		c.Device = "cuda:700"
		p, _, err := stages(t, dir, c, StageReport)
		require.NoError(t, err)
		r, err := p.Summary()
		require.NoError(t, err)
		require.Len(t, r.Networks, 4)
		for _, n := range r.Networks {
			require.NotNil(t, n.Accuracy, n.Name)
			require.Equal(t, n.Name != report.Masked, n.MeasuredMS != nil, n.Name)
		}
		require.Equal(t, strings.TrimSuffix(device, ":0"), r.Machine.Device)
		h, rows, err := bench.ReadTable(p.Path("latency.jsonl"))
		require.NoError(t, err)
		require.NotEmpty(t, rows)
		require.Equal(t, r.Machine.Device, h.Device)
		require.NotEmpty(t, h.Model)
		o.dense = r.Networks[0]
		require.NoError(t, p.ReadJSON("train.json", &o.history))
		require.NoError(t, p.ReadJSON("scores.json", &o.scores))
		return o
	}
	want, got := run("cpu"), run(gpu)
	require.Len(t, got.history, len(want.history))
	require.InEpsilon(t, want.history[0].Loss, got.history[0].Loss, 1e-3)
	require.InDelta(t, *want.dense.Accuracy, *got.dense.Accuracy, 1.5/40, "an image on the border may fall either way")
	require.Len(t, got.scores.Members, len(want.scores.Members))
	for name, w := range want.scores.Members {
		var difference, norm float64
		for i, v := range w {
			difference += math.Pow(float64(got.scores.Members[name][i]-v), 2)
			norm += math.Pow(float64(v), 2)
		}
		if err := math.Sqrt(difference / norm); !(err <= 5e-2) {
			t.Errorf("the scores of %s are off by %.2g of their norm", name, err)
		}
	}
}

// A device's trainings are its own: nothing that another one made is passed off as its.
func TestDeviceIsPartOfSteps(t *testing.T) {
	skipWithout(t)
	c := quick()
	c.Data, c.Epochs, c.Batch, c.WarmupEpochs = t.TempDir(), 1, 16, 0
	writeGratings(t, c.Data, 8)
	dir := t.TempDir()
	for _, s := range []struct {
		device, precision string
		skipped           bool
	}{{"cpu", "fp32", false}, {gpu, "fp32", false}, {gpu, "fp32", true}, {gpu, "bf16", false}, {gpu, "fp16", false}, {"cpu", "fp32", false}} {
		c.Device, c.Precision = s.device, s.precision
		_, skipped, err := stages(t, dir, c, StageTrain)
		require.NoError(t, err)
		require.Equal(t, s.skipped, len(skipped) > 0, "%+v", s)
	}
}
