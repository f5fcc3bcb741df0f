package cpu

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/graph"
	"mdp/engine/nets"
)

// sliced takes so many images at a time through all calls, none without a Slicer; stages
// many of them the more the smaller they are, all in the end.
type sliced struct {
	*Backend
	images int
}

const stages = -1

func (c sliced) Slice(batch, pixels int) int {
	switch {
	case c.images != stages:
		return c.images
	case pixels > 20*20:
		return 1
	case pixels > 5*5:
		return 2
	}
	return batch
}

func (c sliced) Slicer() engine.Slicer {
	if c.images == 0 {
		return nil
	}
	return c
}

// TestSlices holds a network to the same bits however its batch is cut, by any number of
// threads. One of its 3×3 convolutions goes by Winograd's transforms for the batch and
// would not for a slice.
func TestSlices(t *testing.T) {
	const batch = 6
	for _, name := range []string{"resnet18", "mobilenet_v2"} {
		g, err := nets.Build(name, nets.Options{Classes: 7, Input: graph.Shape{H: 40, W: 40, C: 3}, Width: 0.25})
		require.NoError(t, err)
		g, err = g.WithLoss(0)
		require.NoError(t, err)
		x, labels := noise(batch*40*40*3), []int32{0, 1, 2, 3, 4, 5}
		for _, isa := range all() {
			var want engine.Metrics
			for i, c := range []sliced{{backend(t, isa, 1), 0}, {backend(t, isa, 3), 0}, {backend(t, isa, 1), 1}, {backend(t, isa, 2), 2}, {backend(t, isa, 4), 3}, {backend(t, isa, 1), stages}, {backend(t, isa, 3), stages}} {
				p, err := engine.Compile(g, c, engine.Options{Mode: engine.Infer, Batch: batch})
				require.NoError(t, err)
				for range 2 { // weights are written anew
					require.NoError(t, p.SetWeights(graph.InitWeights(g, 1)))
					got, err := p.Evaluate(x, labels)
					require.NoError(t, err)
					if i == 0 {
						want = got
					}
					require.Equal(t, want, got, "%v, %d images of %d at a time by %d threads, %s", isa, c.images, batch, c.threads, name)
				}
				latencyNS := make([]int64, len(p.Plan().Calls))
				require.NoError(t, p.Time(latencyNS))
				for j, ns := range latencyNS {
					require.Positive(t, ns, "%v", p.Plan().Calls[j])
				}
				if c.threads == 1 {
					require.Zero(t, testing.AllocsPerRun(2, func() { require.NoError(t, p.Forward()) }))
				}
				require.NoError(t, p.Close())
			}
		}
	}
}

// Slices leave no worker idle, and come out even.
func TestSlice(t *testing.T) {
	for _, c := range []struct{ threads, batch, pixels, want int }{
		{2, 32, 112 * 112, 1}, {2, 32, 14 * 14, 4}, {2, 32, 7 * 7, 16}, {2, 32, 1, 16},
		{1, 32, 1, 32}, {1, 6, 14 * 14, 3}, {16, 32, 7 * 7, 2}, {16, 8, 14 * 14, 8}, {24, 32, 1, 32},
		{2, 31, 14 * 14, 1}, {2, 1, 112 * 112, 1}, {2, 3, 112 * 112, 3},
	} {
		assert.Equal(t, c.want, backend(t, generic, c.threads).Slice(c.batch, c.pixels), fmt.Sprint(c))
	}
}
