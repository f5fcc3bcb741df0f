package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStorage(t *testing.T) {
	for _, c := range []struct{ v, want float32 }{
		{0, 0}, {1, 1}, {-3, -3}, {256, 256}, {257, 256}, {258, 258}, {259, 260}, // eight bits, ties to even
		{1 + 1./256, 1}, {1 + 3./256, 1 + 4./256}, {float32(math.Inf(-1)), float32(math.Inf(-1))}, {math.MaxFloat32, float32(math.Inf(1))},
	} {
		words, got := make([]float32, 2), make([]float32, 3)
		BFloat16.Encode(words, []float32{7, c.v, -7})
		BFloat16.Decode(got, words)
		require.Equal(t, []float32{7, c.want, -7}, got)
	}
	words := make([]float32, 1)
	BFloat16.Encode(words, []float32{float32(math.NaN())})
	BFloat16.Decode(words, append([]float32{}, words...))
	require.True(t, math.IsNaN(float64(words[0])))
	require.Equal(t, []int{0, 1, 1, 2}, []int{BFloat16.Words(0), BFloat16.Words(1), BFloat16.Words(2), BFloat16.Words(3)})
	require.Equal(t, 3, Float32.Words(3))
}
