package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
)

func TestWorkOf(t *testing.T) {
	c := conv(3, 5) // 2 images of 8×8, 3×3 taps, with a bias
	assert.Equal(t, Work{FLOP: 2 * 2 * 64 * 5 * 27, Bytes: 4 * (2*64*5 + 2*64*3 + 5*27 + 5)}, WorkOf(c, engine.Float32))
	assert.Equal(t, WorkOf(c, engine.Float32).FLOP, WorkOf(engine.MaskedConvForward{ConvForward: c, Mask: engine.Mask{Chunk: 8, Out: 5}}, engine.Float32).FLOP)
	g := engine.ConvBackwardData{Conv: c.Conv, DX: 1, DY: 2, W: 3}
	once := WorkOf(g, engine.Float32)
	g.Accumulate = true
	assert.Equal(t, once.FLOP, WorkOf(g, engine.Float32).FLOP)
	assert.Equal(t, once.Bytes+4*2*64*3, WorkOf(g, engine.Float32).Bytes, "what is added to is read as well")
	assert.Equal(t, Work{Bytes: 4 * 3 * 7}, WorkOf(engine.Add{Len: 7, Y: 1, A: 2, B: 3}, engine.Float32))
	assert.Equal(t, Work{Bytes: 4 * 3 * 4}, WorkOf(engine.Add{Len: 7, Y: 1, A: 2, B: 3}, engine.BFloat16))
}

func TestBound(t *testing.T) {
	c := Ceilings{FLOPS: 1e9, Bandwidth: []Bandwidth{{1 << 10, 8e9}, {1 << 14, 4e9}}}
	for bytes, want := range map[int64]float64{1: 8e9, 1 << 10: 8e9, 1 << 12: 6e9, 1 << 14: 4e9, 1 << 20: 4e9} {
		assert.InDelta(t, want, c.bandwidth(bytes), 1, bytes)
	}
	ns, memory := c.Bound(Work{FLOP: 1000, Bytes: 1 << 10}, 1<<10)
	assert.Equal(t, 1000.0, ns)
	assert.False(t, memory)
	ns, memory = c.Bound(Work{FLOP: 1, Bytes: 1 << 14}, 1<<14)
	assert.Equal(t, float64(1<<14)/4, ns)
	assert.True(t, memory)
	ns, _ = c.Bound(Work{FLOP: 1, Bytes: 1 << 14}, 1<<10)
	assert.Equal(t, float64(1<<14)/8, ns)
}

// The fake's calls take a thousand ns and one for each element.
func TestMeasureRoofline(t *testing.T) {
	b := graph.NewBuilder("tiny", graph.Shape{H: 4, W: 4, C: 3})
	b.Conv2D("conv", "input", graph.Conv2D{Out: 5, Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}, Dilation: [2]int{1, 1}, Groups: 1})
	b.Op(graph.OpGlobalAvgPool, "pool", "conv")
	b.Linear("fc", "pool", 2)
	g, err := b.Build()
	require.NoError(t, err)
	trained, err := g.WithLoss(0)
	require.NoError(t, err)
	var r Roofline
	for mode, g := range map[engine.Mode]*graph.Graph{engine.Infer: g, engine.Train: trained} {
		options := engine.Options{Mode: mode, Batch: 2}
		r, err = MeasureRoofline(context.Background(), fake{}, g, options, quick())
		require.NoError(t, err)
		p, err := engine.Compile(g, fake{}, options)
		require.NoError(t, err)
		defer p.Close()
		require.Len(t, r.Calls, len(p.Plan().Calls))
		for i, c := range p.Plan().Calls {
			layer := ""
			if nodes := p.Nodes(i); len(nodes) > 0 {
				layer = g.Node(nodes[0]).Name
			}
			assert.Equal(t, c.String(), r.Calls[i].Call)
			assert.Equal(t, layer, r.Calls[i].Layer)
			assert.Equal(t, fakeNS(c), r.Calls[i].LatencyNS)
			ns, memory := r.Ceilings.Bound(WorkOf(c, engine.Float32), WorkOf(c, engine.Float32).Bytes)
			assert.Equal(t, ns, r.Calls[i].BoundNS)
			assert.Equal(t, memory, r.Calls[i].Memory)
			assert.Equal(t, ns/float64(fakeNS(c)), r.Calls[i].Share())
		}
	}
	require.Len(t, r.Ceilings.Bandwidth, 7)
	copied, last := engine.Activate{Len: 32 << 20, Y: 1, X: 2}, r.Ceilings.Bandwidth[6]
	assert.EqualValues(t, 256<<20, last.Bytes)
	assert.InEpsilon(t, float64(256<<20)/(float64(fakeNS(copied))/1e9), last.PerSecond, 1e-6, "the fake moves all at one rate")
}
