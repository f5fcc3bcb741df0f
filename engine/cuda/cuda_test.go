package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrecisionHasAName(t *testing.T) {
	_, err := New(nil, Options{Precision: "fp8"})
	require.EqualError(t, err, `cuda: there is no precision "fp8"; it is fp32, tf32 or bf16`)
}

func TestChunkList(t *testing.T) {
	require.Equal(t, []float32{2, 1, 3, 0, 2}, ChunkList([]bool{false, true, false, true}))
	require.Equal(t, []float32{0, 0}, ChunkList([]bool{false}))
	require.Equal(t, []float32{1, 0}, ChunkList([]bool{true}))
}
