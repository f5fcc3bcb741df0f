package prune

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
)

// A filter's magnitude is the deviation that it gives, as γ is.
func TestMagnitudeScores(t *testing.T) {
	b := graph.NewBuilder("net", graph.Shape{H: 4, W: 4, C: 3})
	b.BatchNorm("norm", b.Conv2D("normed", "input", graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}}))
	b.Conv2D("plain", "norm", graph.Conv2D{Out: 2, Kernel: [2]int{1, 2}, Bias: true})
	b.Conv2D("zero", "plain", graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}})
	b.Linear("fc", b.Op(graph.OpFlatten, "flatten", b.Op(graph.OpGlobalAvgPool, "pool", "zero")), 2)
	g, err := b.Build()
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	copy(w.Data("norm.weight"), []float32{-0.25, 8})
	copy(w.Data("plain.weight"), []float32{1, -2, 0, 2, 8, 4, -4, 2})
	copy(w.Data("zero.weight"), make([]float32, 4))
	copy(w.Data("fc.weight"), []float32{3, 0, 0, -1})
	assert.Equal(t, Scores{Importance: Magnitude, Members: map[string][]float32{
		"norm": {0.25, 8}, "plain": {3, 10}, "zero": {0, 0}, "fc": {3, 1},
	}}, MagnitudeScores(g, c, w))
}
