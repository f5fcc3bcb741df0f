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
	require.EqualError(t, e.Run(0, 1), "cuda: activate+relu/16: launch graph: unspecified launch failure (CUDA error 719); with CUDA_LAUNCH_BLOCKING=1 it tells which call")
	require.NoError(t, os.Unsetenv("EMULATED_FAILURE"))
	require.NoError(t, e.Close())

	fail := func(how string) func() { return func() { t.Setenv("EMULATED_FAILURE", how) } }
	heal := func() { require.NoError(t, os.Unsetenv("EMULATED_FAILURE")) }
	checkLost(t, b, fail("cuGraphLaunch=719"), heal, "one of ")
	checkLost(t, b, fail("cuMemcpyDtoH_v2=700"), heal, "(CUDA error 700)")
	t.Setenv("CUDA_LAUNCH_BLOCKING", "1")
	checkLost(t, b, fail("cuLaunchKernel=719"), heal, "cuda: conv_forward")
}
