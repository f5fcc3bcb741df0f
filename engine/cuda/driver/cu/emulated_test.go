//go:build cuda

package cu

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEmulatedDriver runs this package's tests, and the conformance suite through
// it, again in processes that find testdata/libcuda.cpp as the driver.
func TestEmulatedDriver(t *testing.T) {
	const key = "MDP_TEST_EMULATED_DRIVER"
	if os.Getenv(key) != "" {
		return // this is such a process
	}
	dir := t.TempDir()
	const kernels = "../../../../kernels/"
	out, err := exec.Command("g++", "-shared", "-fPIC", "-std=c++17", "-O2", "-Wno-unknown-pragmas", "-I"+kernels,
		"-o", filepath.Join(dir, "libcuda.so.1"), "testdata/libcuda.cpp", kernels+"emu.cpp", kernels+"host.cpp").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, pkg := range []string{".", "../.."} {
		c := exec.Command("go", "test", "-tags", "cuda", "-count=1", "-v", "-run", "Device|Memory|Timer|Thread", pkg)
		c.Env = append(os.Environ(), key+"=1", "LD_LIBRARY_PATH="+dir)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.NotContains(t, string(out), "no NVIDIA GPU", "the emulated driver was not found")
	}
}
