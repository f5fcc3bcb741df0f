//go:build cuda || emu

package cuda

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/cuda/driver"
	"mdp/engine/data"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

const (
	batch   = 16
	classes = 4
)

var input = graph.Shape{H: 12, W: 12, C: 3}

// checkTrainings trains in 16 bits, to about the processor's losses; one step of the second, which
// has depthwise convolutions.
func checkTrainings(t *testing.T, d driver.Device) {
	for _, c := range []struct {
		net   string
		steps int
		Options
	}{
		{"resnet8-cifar", 6, Options{Precision: BFloat16, Storage: engine.BFloat16}},
		{"resnet8-cifar", 6, Options{Precision: BFloat16, Storage: engine.BFloat16, Variant: Warpgroup}},
		{"resnet8-cifar", 6, Options{Precision: Float16}},
		{"resnet8-cifar", 6, Options{Precision: Float16, Storage: engine.Float16}},
		{"mobilenet_v2", 1, Options{Precision: Float16, Storage: engine.Float16}},
	} {
		t.Run(fmt.Sprintf("%s %s in %v %s", c.net, c.Precision, c.Storage, c.Variant), func(t *testing.T) {
			checkTraining(t, d, c.net, c.steps, c.Options)
		})
	}
}

func checkTraining(t *testing.T, d driver.Device, net string, steps int, o Options) {
	g, err := nets.Build(net, nets.Options{Classes: classes, Input: input, Width: 0.25})
	require.NoError(t, err)
	training, err := g.WithLoss(0.1)
	require.NoError(t, err)
	processor, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	var losses [2][]float64
	var bytes [2]int64
	for i, b := range []engine.Backend{processor, with(t, d, o)} {
		p, err := engine.Compile(training, b, engine.Options{Mode: engine.Train, Batch: batch, Nesterov: true})
		require.NoError(t, err)
		require.NoError(t, p.SetWeights(graph.InitWeights(g, 1)))
		x, labels := images(t, 1)
		for range steps {
			m, err := p.Step(x, labels, engine.Hyper{LearningRate: 0.02, Momentum: 0.9, WeightDecay: 1e-4})
			require.NoError(t, err)
			losses[i] = append(losses[i], m.Loss/batch)
		}
		trained, err := p.Weights()
		require.NoError(t, err)
		bytes[i] = p.PeakBytes()
		require.NoError(t, p.Close())
		q, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: batch})
		require.NoError(t, err)
		require.NoError(t, q.SetWeights(trained))
		logits := make([]float32, batch*classes)
		require.NoError(t, q.Infer(logits, x))
		require.NoError(t, q.Close())
	}
	t.Logf("losses %.4f, in 16 bits %.4f; bytes %d", losses[0], losses[1], bytes)
	most := 0.1
	if o.Precision == Float16 {
		most = 0.02
	}
	require.InDeltaSlice(t, losses[0], losses[1], most*losses[0][0])
	require.LessOrEqual(t, losses[1][steps-1], losses[1][0])
	if o.Storage != engine.Float32 {
		require.Less(t, bytes[1], bytes[0])
	}
}

// images and labels of one batch of gratings.
func images(t *testing.T, seed uint64) ([]float32, []int32) {
	s := data.Synthetic(batch, input.H, input.W, input.C, classes, seed)
	pixels, x := make([]uint8, input.Size()), []float32(nil)
	for i := range batch {
		require.NoError(t, s.Read(pixels, i))
		for _, v := range pixels {
			x = append(x, (float32(v)-128)/64)
		}
	}
	return x, s.Labels
}
