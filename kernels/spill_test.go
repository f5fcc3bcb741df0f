//go:build cuda

package kernels

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spills are the kernels that keep some of their registers in memory, and why they may.
var spills = map[string]string{
	"conv_forward sm_90":              "8 bytes in the epilogue of the first rung, which is for comparison alone",
	"masked_conv_backward_data sm_90": "the same",
	"conv_backward_data sm_80":        "the same",
	"conv_backward_data sm_90":        "the same",
}

// A kernel that has begun to spill computes the same, only slower: no other test sees it
// without a GPU. Of other compilers than the pinned one nothing is said.
func TestKernelsDoNotSpill(t *testing.T) {
	manifest, err := gen.ReadFile("gen/manifest")
	require.NoError(t, err)
	if !strings.Contains(string(manifest), "cuda_13.0.r13.0") {
		t.Skip("compiled by another nvcc than scripts/cuda-toolchain's")
	}
	compiled := AllCompiled(t)
	require.ElementsMatch(t, []string{"sm_80", "sm_90"}, slices.Collect(maps.Keys(compiled)))
	for architecture, kernels := range compiled {
		for kernel, c := range kernels {
			_, may := spills[kernel+" "+architecture]
			assert.True(t, c.Stack == 0 || may && c.Stack <= 8, "%s spills %d bytes on %s: a smaller tile, or fewer blocks in THREADS, has more registers", kernel, c.Stack, architecture)
		}
	}
}
