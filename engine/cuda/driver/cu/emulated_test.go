//go:build cuda

package cu

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// emulatedKey is set in processes whose driver is testdata/libcuda.cpp.
const emulatedKey = "MDP_TEST_EMULATED_DRIVER"

// TestEmulatedDriver runs this package's tests, and what runs through it, again in
// such processes.
func TestEmulatedDriver(t *testing.T) {
	if os.Getenv(emulatedKey) != "" {
		return
	}
	dir := t.TempDir()
	const kernels = "../../../../kernels/"
	out, err := exec.Command("g++", "-shared", "-fPIC", "-std=c++17", "-O2", "-Wno-unknown-pragmas", "-I"+kernels,
		"-o", filepath.Join(dir, "libcuda.so.1"), "testdata/libcuda.cpp", kernels+"emu.cpp", kernels+"wgmma.cpp", kernels+"host.cpp").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, pkg := range []string{".", "../..", "../../../../prune", "../../../../cmd/mdp"} {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel() // one core is enough for each
			c := exec.Command("go", "test", "-vet=off", "-tags", "cuda", "-count=1", "-short", "-v", "-run", "^Test(Device|Memory|Timer|AnyThread|NoSuchDevice|Training|GPU)", pkg)
			c.Env = append(os.Environ(), emulatedKey+"=1", "LD_LIBRARY_PATH="+dir, "TMPDIR="+t.TempDir()) // where the lock of its GPU is: the same tests may run elsewhere
			out, err := c.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.NotContains(t, string(out), "no NVIDIA GPU", "the emulated driver was not found")
		})
	}
}
