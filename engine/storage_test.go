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
	const smallest = 1. / (1 << 24) // of half precision
	for _, c := range []struct{ v, want float32 }{
		{-3, -3}, {2049, 2048}, {2051, 2052}, {65504, 65504}, {65519, 65504}, {65520, float32(math.Inf(1))}, // eleven bits, ties to even
		{smallest, smallest}, {-2.5 * smallest, -2 * smallest}, {3.5 * smallest, 4 * smallest}, {smallest / 2, 0}, {smallest / 1.9, smallest},
	} {
		words, got := make([]float32, 2), make([]float32, 3)
		Float16.Encode(words, []float32{7, c.v, -7})
		Float16.Decode(got, words)
		require.Equal(t, []float32{7, c.want, -7}, got)
	}
	for _, s := range []Storage{Float32, BFloat16, Float16} {
		text, err := s.MarshalText()
		require.NoError(t, err)
		var again Storage
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, s, again)
	}
	words := make([]float32, 1)
	BFloat16.Encode(words, []float32{float32(math.NaN())})
	BFloat16.Decode(words, append([]float32{}, words...))
	require.True(t, math.IsNaN(float64(words[0])))
	require.Equal(t, []int{0, 1, 1, 2}, []int{BFloat16.Words(0), BFloat16.Words(1), BFloat16.Words(2), BFloat16.Words(3)})
	require.Equal(t, 3, Float32.Words(3))
}
