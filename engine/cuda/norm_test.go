//go:build cuda || emu

package cuda

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine"
)

var normConvs = []engine.Conv{
	{N: 2, H: 8, W: 7, C: 17, K: 25, R: 3, S: 3, P: 8, Q: 7, Stride: [2]int{1, 1}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 3, H: 9, W: 7, C: 40, K: 136, R: 3, S: 3, P: 5, Q: 4, Stride: [2]int{2, 2}, Pad: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
	{N: 2, H: 10, W: 9, C: 16, K: 24, R: 3, S: 2, P: 10, Q: 11, Stride: [2]int{1, 1}, Pad: [2]int{2, 2}, Dilation: [2]int{2, 2}, Groups: 2},
	{N: 3, H: 79, W: 73, C: 4, K: 8, R: 1, S: 1, P: 79, Q: 73, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}, // more tiles than are added up at once
	{N: 5, H: 1, W: 1, C: 130, K: 7, R: 1, S: 1, P: 1, Q: 1, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1},
}

// checkNorm holds a convolution that gathers statistics against a convolution and a
// batch norm that reads what it wrote: y is the same bit for bit, and the statistics
// are sums of the same numbers in another order.
func checkNorm(t *testing.T, b *Backend, convs []engine.Conv) {
	for _, g := range convs {
		const image, filter, bias, z, gamma, beta = 1, 2, 3, 4, 5, 6 // what is read; then twice what is written
		rows := g.N * g.P * g.Q
		lens := []int{0, g.N * g.H * g.W * g.C, g.K * g.R * g.S * (g.C / g.Groups), g.K, rows * g.K, g.K, g.K}
		written := []int{rows * g.K, rows * g.K, g.K, g.K, g.K, g.K}
		both := func(first engine.Buffer) (engine.ConvForward, engine.BatchNormForward) {
			return engine.ConvForward{Conv: g, Y: first, X: image, W: filter, B: bias}, engine.BatchNormForward{Rows: rows, C: g.K, X: first, Y: first + 1, Z: z,
				Gamma: gamma, Beta: beta, RunMean: first + 2, RunVar: first + 3, Mean: first + 4, InvStd: first + 5, Eps: 1e-5, Momentum: .1, Act: engine.ReLU}
		}
		c, norm := both(7)
		joined := engine.ConvBatchNorm{}
		joined.ConvForward, joined.Norm = both(13)
		plan := engine.Alone(b, c, norm, joined)
		plan.Fixed = plan.Len // running statistics begin at zero
		t.Run(joined.String(), func(t *testing.T) {
			e, err := b.Prepare(plan)
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			rng := rand.New(rand.NewPCG(1, uint64(g.C)))
			for i, n := range lens {
				x := make([]float32, n)
				for j := range x {
					x[j] = float32(rng.NormFloat64())
					if i == bias {
						x[j] *= 100 // every channel far from zero
					}
				}
				require.NoError(t, e.Write(engine.Buffer(i), x))
			}
			require.NoError(t, e.Run(0, 3))
			for i, n := range written {
				want, got := make([]float32, n), make([]float32, n)
				require.NoError(t, e.Read(want, engine.Buffer(7+i)))
				require.NoError(t, e.Read(got, engine.Buffer(13+i)))
				if i == 0 {
					require.Equal(t, want, got, "the convolution's output")
				}
				most := float64(max(slices.Max(want), -slices.Min(want)))
				tolerance := 5e-6
				if i == 1 && b.storage != engine.Float32 {
					tolerance = 1. / 128 // a last bit
				}
				assert.InDeltaSlice(t, want, got, tolerance*most, []string{"conv", "y", "runmean", "runvar", "mean", "invstd"}[i])
			}
		})
	}
}
