//go:build cuda || emu

package cuda

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/data"
	"mdp/engine/graph"
)

// checkScaling trains with a loss scale that is too large, or about to grow.
func checkScaling(t *testing.T, b *Backend) {
	const batch, norm = 8, "norm"
	same3x3 := graph.Conv2D{Out: 8, Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
	builder := graph.NewBuilder("small", graph.Shape{H: 6, W: 6, C: 1})
	builder.Conv2D("first", "input", same3x3)
	builder.Op(graph.OpReLU, "relu", "first")
	builder.Conv2D("second", "relu", same3x3)
	builder.BatchNorm(norm, "second")
	builder.Op(graph.OpGlobalAvgPool, "pool", norm)
	builder.Linear("fc", "pool", 4)
	g, err := builder.Build()
	require.NoError(t, err)
	training, err := g.WithLoss(0)
	require.NoError(t, err)
	set := data.Synthetic(batch, 6, 6, 1, 4, 1)
	pixels, x := make([]uint8, 36), []float32(nil)
	for i := range batch {
		require.NoError(t, set.Read(pixels, i))
		for _, v := range pixels {
			x = append(x, (float32(v)-128)/64)
		}
	}
	compile := func(t *testing.T, score ...[]string) *engine.Program {
		p, err := engine.Compile(training, b, engine.Options{Mode: engine.Train, Batch: batch, Score: score})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		require.NoError(t, p.SetWeights(graph.InitWeights(g, 1)))
		return p
	}
	step := func(t *testing.T, p *engine.Program) engine.Scaling {
		_, err := p.Step(x, set.Labels, engine.Hyper{LearningRate: 0.02, Momentum: 0.9, WeightDecay: 1e-4})
		require.NoError(t, err)
		s, err := p.Scaling()
		require.NoError(t, err)
		return s
	}
	state := func(t *testing.T, p *engine.Program) (w, m graph.Weights) {
		w, err := p.Weights()
		require.NoError(t, err)
		m, err = p.Momenta()
		require.NoError(t, err)
		return w, m
	}
	learned := func(w, m graph.Weights) graph.Weights { // a skipped step still moves running statistics
		all := graph.Weights{}
		for name := range m {
			all[name] = w[name]
		}
		return all
	}
	same := func(t *testing.T, want, got graph.Weights) {
		require.Len(t, got, len(want))
		for name := range want {
			require.Equal(t, want.Data(name), got.Data(name), name)
		}
	}

	t.Run("a step that overflows is skipped", func(t *testing.T) {
		p := compile(t)
		s, err := p.Scaling()
		require.NoError(t, err)
		require.Equal(t, engine.Scaling{Scale: 1 << 16}, s)
		require.Equal(t, engine.Scaling{Scale: 1 << 16, Good: 1}, step(t, p))
		require.NoError(t, p.SetScaling(engine.Scaling{Scale: 1 << 24, Good: 7, Skipped: 3}))
		w, m := state(t, p)
		s = step(t, p)
		require.Equal(t, engine.Scaling{Scale: 1 << 23, Skipped: 4}, s)
		later, laterM := state(t, p)
		same(t, learned(w, m), learned(later, laterM))
		same(t, m, laterM)
		for s.Good == 0 {
			before := s
			if s = step(t, p); s.Good == 0 {
				require.Equal(t, engine.Scaling{Scale: before.Scale / 2, Skipped: before.Skipped + 1}, s)
			}
		}
		last, _ := state(t, p)
		require.NotEqual(t, later.Data("first.weight"), last.Data("first.weight"))
	})

	t.Run("the scale grows after 2000 good steps", func(t *testing.T) {
		p := compile(t)
		require.NoError(t, p.SetScaling(engine.Scaling{Scale: 1 << 10, Good: 1998}))
		require.Equal(t, engine.Scaling{Scale: 1 << 10, Good: 1999}, step(t, p))
		require.Equal(t, engine.Scaling{Scale: 1 << 11}, step(t, p))
		require.Equal(t, engine.Scaling{Scale: 1 << 11, Good: 1}, step(t, p))
	})

	t.Run("resumed is as if it had not stopped", func(t *testing.T) {
		p := compile(t)
		require.NoError(t, p.SetScaling(engine.Scaling{Scale: 1 << 20, Good: 1999}))
		for range 3 {
			step(t, p)
		}
		w, m := state(t, p)
		s, err := p.Scaling()
		require.NoError(t, err)
		require.Positive(t, s.Skipped)
		q := compile(t)
		require.NoError(t, q.SetWeights(w))
		require.NoError(t, q.SetMomenta(m))
		require.NoError(t, q.SetScaling(s))
		for range 5 {
			require.Equal(t, step(t, p), step(t, q))
		}
		w, m = state(t, p)
		again, againM := state(t, q)
		same(t, w, again)
		same(t, m, againM)
	})

	t.Run("gradients and scores are of the loss as it is", func(t *testing.T) {
		p := compile(t, []string{norm})
		require.NoError(t, p.SetScaling(engine.Scaling{Scale: 1 << 24}))
		_, err := p.Gradient(x, set.Labels)
		require.NoError(t, err)
		scores, err := p.Scores()
		require.NoError(t, err)
		require.Equal(t, make([]float32, len(scores[norm])), scores[norm], "what overflowed counts for nothing")

		exact, err := New(b.device, Options{})
		require.NoError(t, err)
		q, err := engine.Compile(training, exact, engine.Options{Mode: engine.Train, Batch: batch, Score: [][]string{{norm}}})
		require.NoError(t, err)
		defer func() { require.NoError(t, q.Close()) }()
		require.NoError(t, q.SetWeights(graph.InitWeights(g, 1)))
		var gradients [2]graph.Weights
		for i, p := range []*engine.Program{q, p} {
			if i == 1 {
				require.NoError(t, p.SetScaling(engine.Scaling{Scale: 1 << 8}))
			}
			_, err := p.Gradient(x, set.Labels)
			require.NoError(t, err)
			gradients[i], err = p.Gradients()
			require.NoError(t, err)
		}
		for name := range gradients[0] {
			requireClose(t, name, gradients[0].Data(name), gradients[1].Data(name))
		}
		want, err := q.Scores()
		require.NoError(t, err)
		scores, err = p.Scores()
		require.NoError(t, err)
		requireClose(t, norm, want[norm], scores[norm])
		require.Error(t, q.SetScaling(engine.Scaling{Scale: 2}), "nothing is scaled in fp32")
	})
}

// requireClose allows what rounding differently makes of a few steps.
func requireClose(t *testing.T, name string, want, got []float32) {
	require.Len(t, got, len(want), name)
	var difference, norm float64
	for i := range want {
		difference += math.Pow(float64(got[i])-float64(want[i]), 2)
		norm += math.Pow(float64(want[i]), 2)
	}
	if err := math.Sqrt(difference / norm); !(err <= 1e-2) {
		t.Errorf("%s is off by %.2g of its norm", name, err)
	}
}
