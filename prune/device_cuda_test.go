//go:build cuda

package prune

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/cu"
	"mdp/engine/device"
)

const gpu = "cuda:0"

// skipWithout a GPU, or its emulated driver.
func skipWithout(t *testing.T) {
	d, err := device.Open(device.Options{Name: gpu, Precision: device.FP32})
	if errors.Is(err, cu.ErrNoDevice) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, d.Close())
}
