//go:build cuda

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/cuda/driver/interpreted"
	"mdp/engine/enginetest"
	"mdp/kernels"
)

func interpreter(t *testing.T) *interpreted.Device {
	images, err := kernels.Fatbins([2]int{9, 0})
	require.NoError(t, err)
	d, err := interpreted.Open(images)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestPTX(t *testing.T) {
	d := interpreter(t)
	t.Run("all are known", func(t *testing.T) {
		for _, name := range d.Kernels() {
			_, err := d.Kernel(name)
			require.NoError(t, err)
		}
	})
	t.Run("fp32", func(t *testing.T) { enginetest.Run(t, backend(t, d, Float32)) })
	t.Logf("%d M instructions", d.Instructions/1e6)
}
