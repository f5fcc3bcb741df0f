package graph

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every parameter of a network with a flattened image in the middle: element
// (k, c, h, w) of the file is element (k, h, w, c) here, by index.
func TestChannelsFirst(t *testing.T) {
	b := NewBuilder("flat", Shape{4, 5, 3})
	x := b.Conv2D("conv", "input", Conv2D{Out: 6, Kernel: [2]int{3, 2}, Groups: 3, Bias: true})
	x = b.Op(OpReLU, "relu", b.BatchNorm("bn1", x))
	x = b.Op(OpFlatten, "flatten", x) // of 2×4×6
	x = b.Op(OpReLU, "relu2", b.BatchNorm("bn2", x))
	x = b.Op(OpAdd, "add", x, b.Op(OpSigmoid, "sigmoid", x))
	x = b.Linear("hidden", x, 7)
	b.Linear("fc", b.BatchNorm("bn3", x), 5)
	g, err := b.Build()
	require.NoError(t, err)
	require.NoError(t, g.ChannelsFirst())
	image := map[string][3]int{"conv.weight": {3, 2, 1}, "hidden.weight": {2, 4, 6}, "bn2.weight": {2, 4, 6}, "bn2.bias": {2, 4, 6}, "bn2.running_mean": {2, 4, 6}, "bn2.running_var": {2, 4, 6}}
	for _, p := range g.Params() {
		hwc, ok := image[p.Name]
		if !ok {
			hwc = [3]int{1, 1, p.Shape[len(p.Shape)-1]}
		}
		src, dst, back := make([]float32, p.Size()), make([]float32, p.Size()), make([]float32, p.Size())
		for i := range src {
			src[i] = float32(i)
		}
		g.ToChannelsFirst(dst, src, p)
		at := 0
		for k := range p.Size() / (hwc[0] * hwc[1] * hwc[2]) {
			for c := range hwc[2] {
				for h := range hwc[0] {
					for w := range hwc[1] {
						require.Equal(t, src[((k*hwc[0]+h)*hwc[1]+w)*hwc[2]+c], dst[at], p.Name)
						at++
					}
				}
			}
		}
		g.FromChannelsFirst(back, dst, p)
		assert.Equal(t, src, back, p.Name)
	}
	assert.Equal(t, []int{6, 1, 3, 2}, g.ChannelsFirstShape(g.NodeParams(1)[0]))
	assert.Equal(t, []int{5, 7}, g.ChannelsFirstShape(g.NodeParams(g.Len() - 1)[0]))
}

func TestNoChannelsFirst(t *testing.T) {
	for name, end := range map[string]func(b *Builder, x string){
		"concat": func(b *Builder, x string) { b.Op(OpConcat, "concat", x, x) },
		"conv2d": func(b *Builder, x string) { b.Conv2D("conv2d", x, Conv2D{Out: 1, Kernel: [2]int{1, 1}}) },
		"add":    func(b *Builder, x string) { b.Op(OpAdd, "add", b.Linear("fc", x, 12), x) },
	} {
		b := NewBuilder(name, Shape{2, 2, 3})
		end(b, b.Op(OpFlatten, "flatten", "input"))
		g, err := b.Build()
		require.NoError(t, err)
		assert.ErrorContains(t, g.ChannelsFirst(), name)
	}
}
