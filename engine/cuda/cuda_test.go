package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrecisionHasAName(t *testing.T) {
	_, err := New(nil, Options{Precision: "fp8"})
	require.EqualError(t, err, `cuda: there is no precision "fp8"; it is fp32, tf32, bf16 or fp16`)
}
