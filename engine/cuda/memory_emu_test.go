//go:build emu

package cuda

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver"
	"mdp/engine/cuda/driver/emu"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/kernels"
)

// small is a device with little memory.
type small struct {
	driver.Device
	free, asked int64
}

func (s *small) Alloc(bytes int64) (driver.Pointer, error) {
	if s.asked = bytes; bytes > s.free {
		return 0, &driver.OutOfMemory{Need: bytes, Free: s.free}
	}
	return s.Device.Alloc(bytes)
}

// The batch that an error names fits, and is nearly the largest.
func TestOutOfMemoryNamesTheBatchThatFits(t *testing.T) {
	for _, mode := range []engine.Mode{engine.Train, engine.Infer} {
		g, err := nets.Build("resnet14-cifar", nets.Options{Classes: 10, Input: graph.Shape{H: 16, W: 16, C: 3}})
		require.NoError(t, err)
		if mode == engine.Train {
			g, err = g.WithLoss(0)
			require.NoError(t, err)
		}
		d := &small{Device: emu.Open(kernels.Ascending), free: 12 << 20}
		compile := func(batch int) error {
			p, err := engine.Compile(g, backend(t, d, Float32), engine.Options{Mode: mode, Batch: batch})
			if err == nil {
				err = p.Close()
			}
			return err
		}
		err = compile(1000)
		require.ErrorContains(t, err, "the plan's memory for a batch of 1000: ")
		m := regexp.MustCompile(`GiB free; a batch of (\d+) fits$`).FindStringSubmatch(err.Error())
		require.NotNil(t, m, err)
		batch, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		require.NoError(t, compile(batch), "%s: %d", mode, batch)
		require.Error(t, compile(batch+batch/8+1), "%s: %d is far from the largest", mode, batch)

		d.free = 4096
		require.ErrorContains(t, compile(8), "; no batch fits")
		require.NoError(t, d.Device.Close())
	}
}
