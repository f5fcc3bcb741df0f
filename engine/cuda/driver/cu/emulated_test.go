//go:build cuda

package cu

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// emulatedKey is set in processes whose driver is testdata/libcuda.
const emulatedKey = "MDP_TEST_EMULATED_DRIVER"

// emulatedDriver builds the driver into a folder for LD_LIBRARY_PATH, and the program
// that breaks its rules beside it.
func emulatedDriver(t *testing.T) (dir, rules string) {
	dir = t.TempDir()
	gcc := func(args ...string) {
		out, err := exec.Command("g++", append([]string{"-std=c++17", "-O2", "-Wall", "-Wno-unknown-pragmas"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	headers := strings.Fields(os.Getenv("CGO_CFLAGS"))
	library, rules := filepath.Join(dir, "libcuda.so.1"), filepath.Join(dir, "rules")
	args := append(headers, "-shared", "-fPIC", "-I../../../../kernels", "-o", library)
	files, err := filepath.Glob("testdata/libcuda/*.cpp")
	require.NoError(t, err)
	gcc(append(append(args, files...), "-Wl,-u,emu_find,-u,zero", emulatedKernels(t, dir))...)
	gcc(append(headers, "-o", rules, "testdata/rules.cpp", library, "-lpthread")...)
	return dir, rules
}

// emulatedKernels is an archive of the kernels as package kernels has them for the host, which
// takes half a minute to compile: make test-emu's flags are these, and what it made is taken.
func emulatedKernels(t *testing.T, dir string) string {
	c := exec.Command("go", "list", "-export", "-tags", "emu", "-f", "{{.Export}}", "mdp/kernels")
	c.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CXXFLAGS=-O2", "CGO_CFLAGS=", "CGO_LDFLAGS=")
	path, err := c.Output()
	require.NoError(t, err)
	compiled, err := os.ReadFile(strings.TrimSpace(string(path)))
	require.NoError(t, err)
	archive := filepath.Join(dir, "kernels.a")
	require.NoError(t, os.WriteFile(archive, compiled, 0o644))
	out, err := exec.Command("ranlib", archive).CombinedOutput() // Go's have no index of C's names
	require.NoError(t, err, "%s", out)
	return archive
}

// TestEmulatedDriver runs this package's tests, and what runs through it, again in
// such processes, with streams that are late or eager.
func TestEmulatedDriver(t *testing.T) {
	if os.Getenv(emulatedKey) != "" {
		return
	}
	dir, rules := emulatedDriver(t)
	run := func(t *testing.T, name string, args ...string) string {
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), emulatedKey+"=1", "LD_LIBRARY_PATH="+dir, "TMPDIR="+t.TempDir()) // where the lock of its GPU is: the same tests may run elsewhere
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	require.Contains(t, run(t, rules), " 0 wrong")
	for _, pkg := range []string{".", "../..", "../../../../prune", "../../../../cmd/mdp"} {
		t.Run(pkg, func(t *testing.T) {
			t.Parallel() // one core is enough for each
			out := run(t, "go", "test", "-vet=off", "-tags", "cuda", "-count=1", "-short", "-v", "-run", "^Test(Device|Memory|Timer|AnyThread|NoSuchDevice|Upload|Training|GPU)", pkg)
			require.NotContains(t, out, "no NVIDIA GPU", "the emulated driver was not found")
		})
	}
	for _, streams := range []string{"1", "2"} { // the one that is eager, by its bit
		t.Run("eager "+streams, func(t *testing.T) {
			t.Parallel()
			run(t, "env", "EMULATED_EAGER="+streams, "go", "test", "-vet=off", "-tags", "cuda", "-count=1", "-short", "-run", "^Test(Timer|Upload|DeviceThatIsLost|Training)", ".", "../..")
		})
	}
}
