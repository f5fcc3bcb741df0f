//go:build !cuda

package device

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuildWithoutCUDA(t *testing.T) {
	require.NoError(t, Options{Name: "cuda:0", Precision: TF32}.Check(), "another build may have it")
	_, err := Open(Options{Name: "cuda:0", Precision: TF32})
	require.EqualError(t, err, "this build has no CUDA: make cuda builds bin/mdp-cuda, which has it")
}
