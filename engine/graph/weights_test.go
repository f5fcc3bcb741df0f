package graph

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestCheck(t *testing.T) {
	g := everyOp(t)
	w := InitWeights(g, 1)
	require.NoError(t, w.Check(g))

	delete(w, "bn.bias")
	w["fc.weight"] = NewTensor(8, 10)
	w["fc.bias"] = tensor.New(tensor.WithShape(10), tensor.Of(tensor.Float64))
	w["stray"] = NewTensor(1)
	err := w.Check(g)
	for _, want := range []string{
		`"every-op"`, "bn.bias is missing", "fc.weight has shape [8 10], the graph needs [10 8]", "fc.bias is float64", "stray is not in the graph",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.ErrorContains(t, Weights{}.Check(g), "and 10 more", "18 missing, 8 named")
}

func TestClone(t *testing.T) {
	w := InitWeights(everyOp(t), 1)
	c := w.Clone()
	assert.Equal(t, w, c)
	c.Data("fc.weight")[0]++
	assert.NotEqual(t, w.Data("fc.weight")[0], c.Data("fc.weight")[0])
}

func TestInitWeights(t *testing.T) {
	b := NewBuilder("init", Shape{1, 1, 50})
	x := b.Conv2D("conv", "input", Conv2D{Out: 200, Kernel: [2]int{1, 1}, Bias: true})
	x = b.BatchNorm("bn", x)
	b.Linear("fc", x, 100)
	g, err := b.Build()
	require.NoError(t, err)
	w := InitWeights(g, 7)
	assert.Equal(t, w, InitWeights(g, 7), "the seed repeats")
	assert.NotEqual(t, w.Data("conv.weight"), InitWeights(g, 8).Data("conv.weight"))

	// 10,000 draws of deviation √(2/200) = 0.1: the sample's is within 5 σ/√(2n)
	sum := 0.0
	for _, v := range w.Data("conv.weight") {
		sum += float64(v) * float64(v)
	}
	assert.InDelta(t, 0.1, math.Sqrt(sum/10_000), 5*0.1/math.Sqrt(20_000))
	bound := float32(1 / math.Sqrt(200))
	for _, v := range w.Data("fc.weight") {
		require.True(t, v >= -bound && v <= bound)
	}
	for name, want := range map[string]float32{"conv.bias": 0, "bn.weight": 1, "bn.bias": 0, "bn.running_mean": 0, "bn.running_var": 1} {
		for _, v := range w.Data(name) {
			require.Equal(t, want, v, name)
		}
	}

	// a tensor's stream is its own: another head changes nothing before it
	b = NewBuilder("other", Shape{1, 1, 50})
	b.Linear("head", b.Conv2D("conv", "input", Conv2D{Out: 200, Kernel: [2]int{1, 1}}), 3)
	other, err := b.Build()
	require.NoError(t, err)
	assert.Equal(t, w.Data("conv.weight"), InitWeights(other, 7).Data("conv.weight"))
}
