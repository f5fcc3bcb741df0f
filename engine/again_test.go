package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
)

// keeper is a backend that computes no value again, so that every one is kept.
type keeper struct{ engine.Backend }

func (k keeper) Supports(c engine.Call) error {
	if _, again := c.(engine.BatchNormAgain); again {
		return engine.ErrUnsupported
	}
	return k.Backend.Supports(c)
}

// TestAgain: what is computed again is what was kept, bit for bit, in less memory.
func TestAgain(t *testing.T) {
	const n, side, c = 4, 128, 64 // values of 2²² elements
	b := graph.NewBuilder("again", graph.Shape{H: side, W: side, C: 3})
	normed := func(name, x string) string {
		return b.BatchNorm(name+".bn", b.Conv2D(name, x, graph.Conv2D{Out: c, Kernel: [2]int{1, 1}}))
	}
	x := b.Op(graph.OpReLU, "relu", normed("conv", "input")) // a max pool reads it
	x = b.Pool(graph.OpMaxPool, "pool", x, graph.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}})
	for _, block := range []string{"1", "2", "3", "4"} { // convolutions read the first three sums
		y := b.Op(graph.OpAdd, "add"+block, normed("conv"+block, x), x)
		if block != "2" {
			y = b.Op(graph.OpReLU6, "relu"+block, y)
		}
		x = y
	}
	b.Linear("fc", b.Op(graph.OpFlatten, "flatten", b.Op(graph.OpGlobalAvgPool, "mean", x)), 7)
	g, err := b.Build()
	require.NoError(t, err)
	g, err = g.WithLoss(0.1)
	require.NoError(t, err)

	run := func(b engine.Backend) (again int, bytes int64, w graph.Weights) {
		p, err := engine.Compile(g, b, engine.Options{Mode: engine.Train, Batch: n})
		require.NoError(t, err)
		defer p.Close()
		require.NoError(t, p.SetWeights(graph.InitWeights(g, 3)))
		for _, c := range p.Plan().Calls {
			if _, is := c.(engine.BatchNormAgain); is {
				again++
			}
		}
		for step := range 2 {
			images, labels := batch(g, n, uint64(step))
			_, err := p.Step(images, labels, engine.Hyper{LearningRate: 0.1, Momentum: 0.9})
			require.NoError(t, err)
		}
		w, err = p.Weights()
		require.NoError(t, err)
		return again, p.PeakBytes(), w
	}
	again, less, got := run(backend(t, 2))
	none, more, want := run(keeper{backend(t, 2)})
	require.Equal(t, []int{4, 0}, []int{again, none})
	require.Less(t, less, more)
	for name := range want {
		require.Equal(t, want.Data(name), got.Data(name), name)
	}
}
