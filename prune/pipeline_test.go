package prune

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/prune/report"
)

// quick is a run that takes a second: the flow is what is tested, not the accuracy.
func quick() Config {
	c := Defaults()
	c.Net, c.Width, c.Data = "resnet8-cifar", 0.25, "synthetic"
	c.Batch, c.ScoreBatches, c.LatencyBatch = 32, 4, 1
	c.Step = 8
	c.Budgets = []string{"0.8x", "0.6x"}
	return c
}

func TestPipeline(t *testing.T) {
	dir := t.TempDir()
	run := func(c Config) (done, skipped []string) {
		p, err := NewPipeline(dir, c, func(e Event) {
			switch e.Kind {
			case End:
				done = append(done, string(e.Stage)+e.Text)
			case Skip:
				skipped = append(skipped, string(e.Stage)+e.Text)
			case Remark:
				t.Log(e.Stage, e.Text)
			}
		})
		require.NoError(t, err)
		defer p.Close()
		require.NoError(t, p.Run(context.Background()))
		s, err := p.Summary()
		require.NoError(t, err)
		require.Len(t, s.Networks, 1+3*len(c.Budgets))
		require.Equal(t, report.Dense, s.Networks[0].Name)
		return done, skipped
	}
	c := quick()
	all := []string{"train", "score", "bench", "solve", "extract0.8x", "extract0.6x", "finetune0.8x", "finetune0.6x", "eval", "report"}
	done, skipped := run(c)
	require.Equal(t, all, done)
	require.Empty(t, skipped)

	done, skipped = run(c)
	require.Equal(t, []string{"report"}, done, "nothing changed")
	require.Equal(t, all[:9], skipped)

	// The accuracy of a network does not depend on how it was trained, nor on
	// anything but the files and the test images.
	turned := c
	turned.Flip = !c.Flip
	_, evalSkipped, err := stages(t, dir, turned, StageEval)
	require.NoError(t, err)
	require.Equal(t, []Stage{StageEval}, evalSkipped)
	cut := filepath.Join(dir, "0.6x", "graph.json")
	require.NoError(t, os.Rename(cut, cut+".away"))
	_, _, err = stages(t, dir, c, StageEval)
	require.ErrorContains(t, err, cut+" is missing")
	require.NoError(t, os.Rename(cut+".away", cut))

	c.FineTuneLearningRate /= 2
	done, _ = run(c)
	require.Equal(t, []string{"finetune0.8x", "finetune0.6x", "eval", "report"}, done, "only what depends on it")
}
