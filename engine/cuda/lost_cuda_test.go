//go:build cuda

package cuda

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A GPU that fails in the middle of a run is an error that names the calls, and the
// process goes on.
func TestDeviceThatIsLost(t *testing.T) {
	if os.Getenv("MDP_TEST_EMULATED_DRIVER") == "" {
		t.Skip("only the emulated driver fails when asked")
	}
	b := backend(t, firstGPU(t), Float32)
	e, err := b.Prepare(onePlan(16))
	require.NoError(t, err)
	require.NoError(t, e.Run(0, 1))
	t.Setenv("EMULATED_FAILURE", "cuGraphLaunch=719")
	require.EqualError(t, e.Run(0, 1), "cuda: calls 0 to 0, activate+relu/16 to activate+relu/16: launch graph: unspecified launch failure (CUDA error 719)")
	require.NoError(t, e.Close())
}
