package kernels_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/kernels"
)

// A kernel's file begins with the loop it computes and says what bounds it.
func TestEveryKernelSaysWhatItComputes(t *testing.T) {
	files, err := fs.Glob(kernels.Sources, "*.cu")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		text, err := fs.ReadFile(kernels.Sources, name)
		require.NoError(t, err)
		comment, _, _ := strings.Cut(string(text), "\n#include")
		for _, line := range strings.Split(comment, "\n") {
			assert.True(t, strings.HasPrefix(line, "//"), "%s begins with %q", name, line)
		}
		assert.Contains(t, comment, "Bound:", name)
	}
}
