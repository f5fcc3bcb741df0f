package prune

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// choices to try: all of it, random cuts, every block gone, and each block gone
// by itself, first blocks of stages among them.
func choices(c *Coupling, name string) map[string]Choice {
	r := randFor(name + " choices")
	all := map[string]Choice{"full": Full(c)}
	for i := range 4 {
		all[fmt.Sprintf("random %d", i)] = randomChoice(c, r, 0.5)
	}
	all["all blocks off"] = randomChoice(c, r, 0)
	only := Full(c)
	clear(only.BlockOn)
	all["only blocks off"] = only
	for _, b := range c.Blocks {
		ch := Full(c)
		ch.BlockOn[b.ID] = false
		all[b.Name+" off"] = ch
	}
	return all
}

// The extracted network computes exactly what the masked one does: in float64,
// and in one order, the terms that are left out are zeros.
func TestExtractEqualsMask(t *testing.T) {
	for _, net := range testNets(t, 100) {
		t.Run(net.name, func(t *testing.T) {
			g, r := net.g, randFor(net.name+" extracted")
			c, err := Couple(g)
			require.NoError(t, err)
			w, x := trained(g, r), randomImage(g, r)
			before := w.Clone()
			dense := interpreter{g: g, w: w}.output(x)
			changed := 0
			for name, ch := range choices(c, net.name) {
				masked, err := Mask(g, w, c, ch)
				require.NoError(t, err, name)
				small, sw, err := Extract(g, w, c, ch)
				require.NoError(t, err, name)
				require.NoError(t, sw.Check(small), name)
				want := interpreter{g: g, w: masked}.output(x)
				have := interpreter{g: small, w: sw}.output(x)
				require.Equal(t, want, have, name)
				for _, v := range want {
					require.False(t, math.IsNaN(v) || math.IsInf(v, 0), name)
				}
				if name == "full" {
					assert.Equal(t, dense, have)
					assert.Equal(t, g.Nodes(), small.Nodes())
				} else if !slices.Equal(dense, have) {
					changed++
				}
			}
			assert.Equal(t, before, w, "the dense weights must not be written")
			free := slices.ContainsFunc(c.Groups, func(g Group) bool { return !g.Fixed })
			if free || len(c.Blocks) > 0 {
				assert.Positive(t, changed, "the cuts should show")
			}
		})
	}
}

// What stays of the nodes when blocks go.
func TestExtractBlocks(t *testing.T) {
	g, err := nets.Build("resnet14-cifar", nets.Options{Width: 0.25})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	off := func(blocks ...string) *graph.Graph {
		ch := Full(c)
		for _, b := range c.Blocks {
			ch.BlockOn[b.ID] = !slices.Contains(blocks, b.Name)
		}
		small, err := ExtractGraph(g, c, ch)
		require.NoError(t, err)
		return small
	}
	inputs := func(g *graph.Graph, node string) []string {
		i, ok := g.Index(node)
		require.True(t, ok, node)
		return g.Node(i).Inputs
	}
	gone := func(g *graph.Graph, nodes ...string) {
		for _, n := range nodes {
			_, ok := g.Index(n)
			assert.False(t, ok, n)
		}
	}

	first := off("layer2.0")
	gone(first, "layer2.0.conv1", "layer2.0.bn2", "layer2.0.add")
	assert.Equal(t, []string{"layer2.0.downsample.1"}, inputs(first, "layer2.0.relu"), "the projection and the activation stay")
	assert.Equal(t, []string{"layer1.1.relu"}, inputs(first, "layer2.0.downsample.0"))

	second := off("layer2.1")
	gone(second, "layer2.1.conv1", "layer2.1.add", "layer2.1.relu")
	assert.Equal(t, []string{"layer2.0.relu"}, inputs(second, "layer3.0.conv1"), "relu(relu(x)) is one too many")

	none := off("layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1")
	assert.Equal(t, []string{"relu"}, inputs(none, "layer2.0.downsample.0"))
	assert.Equal(t, []string{"layer3.0.relu"}, inputs(none, "avgpool"))
	assert.Equal(t, 12, none.Len(), "the stem of 4, two projections and their activations, the head of 2")

	// a pool of rectified values is rectified
	g, err = nets.Build("resnet18", nets.Options{Width: 0.125})
	require.NoError(t, err)
	c, err = Couple(g)
	require.NoError(t, err)
	pooled := off("layer1.0")
	assert.Equal(t, []string{"maxpool"}, inputs(pooled, "layer1.1.conv1"))
}

// A pool keeps the range of what it reads, itself a stand-in perhaps; a batch
// norm does not.
func TestIdleActivations(t *testing.T) {
	one := graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}}
	b := graph.NewBuilder("three blocks", graph.Shape{H: 2, W: 2, C: 2})
	x := b.Op(graph.OpReLU6, "act", b.Conv2D("stem", "input", one))
	x = b.Op(graph.OpAdd, "add1", b.Conv2D("conv1", x, one), x)
	x = b.Pool(graph.OpMaxPool, "pool", x, graph.Pool{Kernel: [2]int{2, 2}})
	x = b.Op(graph.OpAdd, "add2", b.Conv2D("conv2", x, one), x)
	x = b.BatchNorm("bn", b.Op(graph.OpReLU, "relu", x))
	x = b.Op(graph.OpAdd, "add3", b.Conv2D("conv3", x, one), x)
	b.Linear("fc", b.Op(graph.OpReLU, "last", x), 3)
	g, err := b.Build()
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	ch := Full(c)
	ch.BlockOn = []bool{false, false, false}
	small, err := ExtractGraph(g, c, ch)
	require.NoError(t, err)
	assert.Equal(t, []string{"input", "stem", "act", "pool", "bn", "last", "fc"}, names(small, upTo(small.Len())))
	ch.BlockOn[0] = true
	small, err = ExtractGraph(g, c, ch)
	require.NoError(t, err)
	assert.Equal(t, []string{"input", "stem", "act", "conv1", "add1", "pool", "relu", "bn", "last", "fc"}, names(small, upTo(small.Len())))
}

func TestExtractShapes(t *testing.T) {
	b := graph.NewBuilder("small", graph.Shape{H: 2, W: 3, C: 1})
	x := b.Conv2D("conv", "input", graph.Conv2D{Out: 4, Kernel: [2]int{1, 1}, Bias: true})
	x = b.Conv2D("dw", x, graph.Conv2D{Out: 4, Kernel: [2]int{1, 1}, Groups: 4})
	x = b.Op(graph.OpFlatten, "flatten", x)
	b.Linear("fc", x, 2)
	g, err := b.Build()
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	for _, name := range []string{"conv.bias", "dw.weight", "fc.weight"} {
		for i := range w.Data(name) {
			w.Data(name)[i] = float32(i)
		}
	}
	ch := Full(c)
	ch.Keep[c.OutGroup(1)] = []int{1, 3}
	small, sw, err := Extract(g, w, c, ch)
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 3}, sw.Data("conv.bias"))
	assert.Equal(t, []float32{1, 3}, sw.Data("dw.weight"))
	assert.Equal(t, []float32{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47}, sw.Data("fc.weight"))
	i, _ := small.Index("dw")
	assert.Equal(t, 2, small.Node(i).Conv2D.Groups)
	assert.Equal(t, []int{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}, c.Kept(ch, 3), "the flattened features, for whoever exports them")
}

func TestMaskOfOnes(t *testing.T) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.25})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	ones := graph.InitWeights(g, 1)
	for name := range ones {
		for i := range ones.Data(name) {
			ones.Data(name)[i] = 1
		}
	}
	ch := Full(c)
	ch.Keep[c.OutGroup(1)] = []int{0, 2} // of conv1 and layer1.0.conv2
	ch.BlockOn[2] = false
	m, err := Mask(g, ones, c, ch)
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 0, 1, 0}, m.Data("bn1.weight"))
	assert.Equal(t, []float32{1, 0, 1, 0}, m.Data("layer1.0.bn2.bias"))
	assert.Equal(t, []float32{1, 1, 1, 1}, m.Data("bn1.running_mean"))
	assert.Equal(t, slices.Concat(slices.Repeat([]float32{1}, 27), make([]float32, 27)), m.Data("conv1.weight")[:54])
	assert.Equal(t, make([]float32, 16), m.Data("layer3.0.bn2.weight"), "the last norm of a removed block's branch")
	assert.NotContains(t, m.Data("layer3.0.bn1.weight"), float32(0))
}

func TestExtractRefusesStrangers(t *testing.T) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.25})
	require.NoError(t, err)
	other, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.5})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	_, _, err = Extract(other, graph.InitWeights(other, 1), c, Full(c))
	assert.ErrorContains(t, err, "another network")
	_, err = Mask(other, w, c, Full(c))
	assert.ErrorContains(t, err, "another network")
	delete(w, "fc.bias")
	_, _, err = Extract(g, w, c, Full(c))
	assert.ErrorContains(t, err, "fc.bias is missing")
	_, err = Mask(g, w, c, Full(c))
	assert.ErrorContains(t, err, "fc.bias is missing")
}
