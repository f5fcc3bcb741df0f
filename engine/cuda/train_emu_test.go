//go:build emu

package cuda

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/cuda/driver/emu"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/kernels"
)

func TestTrainsIn16Bits(t *testing.T) {
	d := emu.Open(kernels.Shuffled)
	checkTrainings(t, d)
	require.NoError(t, d.Close())
}

func TestLossIsScaled(t *testing.T) {
	d := emu.Open(kernels.Shuffled)
	t.Run("fp16", func(t *testing.T) { checkScaling(t, backend(t, d, Float16)) })
	t.Run("in fp16", func(t *testing.T) { checkScaling(t, in(t, d, engine.Float16, Chosen)) })
	require.NoError(t, d.Close())
}

// A network trains on the device as on the processor: the losses of every step,
// the importances gathered on the way, and what the trained network then says.
func TestTrainsAsOnTheCPU(t *testing.T) {
	for _, c := range []struct {
		net          string
		width        float64
		steps        int
		learningRate float32
	}{
		{"resnet8-cifar", 0.5, 10, 0.02},
		{"mobilenet_v1", 0.25, 1, 0}, // after one step, rounding alone leads elsewhere: its last images are one pixel
	} {
		t.Run(c.net, func(t *testing.T) {
			g, err := nets.Build(c.net, nets.Options{Classes: classes, Input: input, Width: c.width})
			require.NoError(t, err)
			training, err := g.WithLoss(0.1)
			require.NoError(t, err)
			weights := graph.InitWeights(g, 1)
			processor, err := cpu.New(cpu.Options{})
			require.NoError(t, err)
			device := emu.Open(kernels.Shuffled)

			var score [][]string
			norms := batchNorms(g)
			for _, n := range norms[len(norms)-3:] {
				score = append(score, []string{n})
			}
			options := engine.Options{Mode: engine.Train, Batch: batch, Nesterov: true, Score: score}
			var losses [2][]float64
			var scores [2]map[string][]float32
			var logits [2][]float32
			for i, b := range []engine.Backend{processor, backend(t, device, Float32)} {
				p, err := engine.Compile(training, b, options)
				require.NoError(t, err)
				require.NoError(t, p.SetWeights(weights))
				require.True(t, slices.ContainsFunc(p.Plan().Calls, func(c engine.Call) bool {
					_, ok := c.(engine.ConvBatchNorm)
					return ok
				}), "statistics are gathered while it convolves")
				for range c.steps {
					x, labels := images(t, 1)
					m, err := p.Step(x, labels, engine.Hyper{LearningRate: c.learningRate, Momentum: 0.9, WeightDecay: 1e-4})
					require.NoError(t, err)
					losses[i] = append(losses[i], m.Loss)
				}
				scores[i], err = p.Scores()
				require.NoError(t, err)
				trained, err := p.Weights()
				require.NoError(t, err)
				latencyNS := make([]int64, len(p.Plan().Calls))
				require.NoError(t, p.Time(latencyNS))
				for j, ns := range latencyNS {
					assert.Positive(t, ns, "%v", p.Plan().Calls[j])
				}
				require.NoError(t, p.Close())

				q, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: batch})
				require.NoError(t, err)
				require.NoError(t, q.SetWeights(trained))
				logits[i] = make([]float32, batch*classes)
				x, _ := images(t, 99)
				require.NoError(t, q.Infer(logits[i], x))
				require.NoError(t, q.Close())
			}
			require.NoError(t, device.Close())

			require.InDeltaSlice(t, losses[0], losses[1], 1e-3*losses[0][0])
			if c.steps > 1 {
				require.Less(t, losses[1][c.steps-1], losses[1][0])
			}
			for name, want := range scores[0] {
				requireClose(t, name, want, scores[1][name])
			}
			requireClose(t, "logits", logits[0], logits[1])
		})
	}
}

func batchNorms(g *graph.Graph) []string {
	var names []string
	for i := range g.Len() {
		if n := g.Node(i); n.Op == graph.OpBatchNorm {
			names = append(names, n.Name)
		}
	}
	return names
}
