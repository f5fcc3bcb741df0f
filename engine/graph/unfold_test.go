package graph

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is unfolded by any statistics folds to what it was; gates and convolutions
// without a bias stay as they are.
func TestUnfold(t *testing.T) {
	b := NewBuilder("unfold", Shape{4, 4, 3})
	x := b.Op(OpReLU, "relu", b.Conv2D("a", "input", Conv2D{Out: 2, Kernel: [2]int{1, 1}, Bias: true}))
	plain := b.Conv2D("plain", x, Conv2D{Out: 2, Kernel: [2]int{1, 1}})
	gate := b.Op(OpSigmoid, "sigmoid", b.Conv2D("gate", b.Op(OpGlobalAvgPool, "squeeze", x), Conv2D{Out: 2, Kernel: [2]int{1, 1}, Bias: true}))
	y := b.Op(OpAdd, "add", b.Op(OpMul, "mul", plain, gate), b.Conv2D("b", x, Conv2D{Out: 2, Kernel: [2]int{1, 1}, Bias: true}))
	b.Linear("fc", b.Op(OpGlobalAvgPool, "gap", y), 2)
	g, err := b.Build()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, Bare(g))
	w := InitWeights(g, 1)
	copy(w.Data("a.bias"), []float32{3, -5})
	statistics := Weights{}
	for _, name := range []string{"a", "b"} {
		mean, variance := name+".norm.running_mean", name+".norm.running_var"
		statistics[mean], statistics[variance] = NewTensor(2), NewTensor(2)
		copy(statistics.Data(mean), []float32{7, -0.5})
		copy(statistics.Data(variance), []float32{4, 0})
	}
	before := w.Clone()
	u, v, err := Unfold(g, w, statistics)
	require.NoError(t, err)
	require.NoError(t, v.Check(u))
	assert.Equal(t, before, w)
	assert.Empty(t, Bare(u))
	assert.Equal(t, []float32{4, 4.5}, v.Data("a.norm.running_mean"), "without the bias")
	assert.Equal(t, []float32{7, -0.5}, v.Data("a.norm.bias"))
	assert.Equal(t, g.MACs(), u.MACs())
	f, folded := fold(t, u, v)
	assert.Equal(t, g, f)
	require.Equal(t, len(w), len(folded))
	for name := range w {
		assert.InDeltaSlice(t, w.Data(name), folded.Data(name), 1e-6, name)
	}

	p, probed, err := Probe(g, w)
	require.NoError(t, err)
	require.NoError(t, probed.Check(p))
	assert.Equal(t, []float32{0, 0}, probed.Data("b.norm.weight"))
}
