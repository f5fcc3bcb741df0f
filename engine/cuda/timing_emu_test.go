//go:build emu

package cuda

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine"
	"mdp/engine/cuda/driver/emu"
	"mdp/kernels"
)

// Each latency is that of its own call; fewer than the calls are of the first.
func TestTimeOfSpins(t *testing.T) {
	d := emu.Open(kernels.Ascending)
	b := backend(t, d, Float32)
	e, err := b.Prepare(engine.Alone(b, engine.Spin{Cycles: 200e3}, engine.Spin{}, engine.Spin{Cycles: 100e3}))
	require.NoError(t, err)
	latencyNS := make([]int64, 2)
	require.NoError(t, e.Time(latencyNS))
	require.GreaterOrEqual(t, latencyNS[0], int64(200e3), "an emulated cycle is a nanosecond")
	require.EqualError(t, e.Time(make([]int64, 4)), "cuda: 4 latencies for a plan of 3 calls")
	require.NoError(t, e.Close())
	require.NoError(t, d.Close())
}
