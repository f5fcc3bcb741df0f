package prune

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNormalisation(t *testing.T) {
	for text, want := range map[string][2][]float32{
		"imagenet":          {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
		"none":              {{0}, {1}},
		"0.286/0.353":       {{0.286}, {0.353}},
		"-1,2.5,3e-2/1,2,3": {{-1, 2.5, 0.03}, {1, 2, 3}},
	} {
		mean, std, err := normalisation(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, [2][]float32{mean, std}, text)
	}
}
