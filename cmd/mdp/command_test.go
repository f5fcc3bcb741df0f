package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/prune"
)

// The command that a report gives is read, by a shell and then by mdp, as the
// configuration it was made of.
func TestReportedCommand(t *testing.T) {
	odd := prune.Defaults()
	odd.Net, odd.Width, odd.Weights, odd.Data = "resnet50", 1.0/3, "it's here/$HOME `x`.safetensors", "two words"
	odd.Crop, odd.ResizedCrop, odd.Flip, odd.Seed = 0, 0.35, false, 1<<64-1
	odd.Budgets, odd.Fix, odd.WeightDecay, odd.Checkpoint = []string{"0.5x", "3µs"}, []string{"conv1", "layer1.0.conv1"}, 1e-9, 90*time.Second
	validated := odd
	validated.NoTrain, validated.Data = true, "fashion-mnist"
	for _, want := range []prune.Config{prune.Defaults(), odd, odd.Untrained(), validated} {
		const folder = "runs/a 'b'"
		line := want.Command(folder)
		words, err := exec.Command("sh", "-c", `printf '%s\n' `+line).Output()
		require.NoError(t, err, line)
		args := strings.Split(strings.TrimSuffix(string(words), "\n"), "\n")
		require.Equal(t, []string{"mdp", "prune"}, args[:2])

		a := &app{defaults: prune.Defaults}
		cmd := newTrainCmd(a)
		s := settings{defaults: a.defaults}
		cmd.ResetFlags()
		s.addFlags(cmd)
		require.NoError(t, cmd.ParseFlags(args[2:]), line)
		got, c, err := s.resolve()
		require.NoError(t, err, line)
		assert.Equal(t, folder, got)
		assert.Equal(t, want, c, line)
	}
	demo := prune.Defaults()
	demo.Crop = 0
	assert.Equal(t, "mdp prune --run runs/demo --crop 0", demo.Command("runs/demo"))
}
