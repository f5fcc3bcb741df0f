package graph

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// By hand: γ/√(σ²+ε) is exact for these numbers.
func TestFold(t *testing.T) {
	b := NewBuilder("fold", Shape{2, 2, 1})
	x := b.Norm("first", "input", BatchNorm{Eps: 1, Momentum: 0.1})
	x = b.Norm("bn", b.Conv2D("conv", x, Conv2D{Out: 2, Kernel: [2]int{1, 2}}), BatchNorm{Eps: 1, Momentum: 0.1})
	y := b.Conv2D("twice", x, Conv2D{Out: 2, Kernel: [2]int{1, 1}})
	y = b.Op(OpAdd, "add", y, b.Norm("kept", y, BatchNorm{Eps: 1, Momentum: 0.1}))
	b.Norm("last", b.Linear("fc", b.Op(OpGlobalAvgPool, "gap", y), 1), BatchNorm{Eps: 1, Momentum: 0.1})
	g, err := b.Build()
	require.NoError(t, err)
	w := InitWeights(g, 1)
	set := func(name string, v ...float32) { require.Equal(t, len(v), copy(w.Data(name), v)) }
	set("conv.weight", 1, 2, 3, -4)
	set("bn.weight", 6, 2)
	set("bn.bias", 5, 7)
	set("bn.running_mean", 10, -1)
	set("bn.running_var", 8, 3)
	set("fc.weight", 1, 3)
	set("fc.bias", 4)
	set("last.weight", 1)
	set("last.bias", 100)
	set("last.running_mean", 2)
	set("last.running_var", 0)
	before := w.Clone()
	f, v := fold(t, g, w)
	assert.Equal(t, before, w)
	require.NoError(t, v.Check(f))
	var names []string
	for i := range f.Len() {
		names = append(names, f.Node(i).Name)
	}
	assert.Equal(t, []string{"input", "first", "conv", "twice", "kept", "add", "gap", "fc"}, names)
	assert.Equal(t, []float32{2, 4, 3, -4}, v.Data("conv.weight"))
	assert.Equal(t, []float32{-15, 8}, v.Data("conv.bias"))
	assert.Equal(t, []float32{1, 3}, v.Data("fc.weight"))
	assert.Equal(t, []float32{102}, v.Data("fc.bias"))
	assert.Equal(t, w["twice.weight"], v["twice.weight"])
	again, u := fold(t, f, v)
	assert.Equal(t, f, again)
	assert.Equal(t, v, u)
}

// fold is Fold with every parameter.
func fold(t *testing.T, g *Graph, w Weights) (*Graph, Weights) {
	f, fill, err := Fold(g, w)
	require.NoError(t, err)
	folded := Weights{}
	for _, p := range f.Params() {
		folded[p.Name] = NewTensor(p.Shape...)
		fill(folded.Data(p.Name), p)
	}
	return f, folded
}
