//go:build emu

package kernels

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var orders = []string{"ascending", "descending", "shuffled"}

// Every kernel of testdata/broken.cu is wrong in its own way, and each way is found.
func TestBrokenKernelsAreFound(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "broken")
	out, err := exec.Command("g++", "-std=c++17", "-O1", "-g", "-Wno-unknown-pragmas", "-fsanitize=address", "-fsanitize-sections=emu_shared",
		"-I.", "-o", binary, "testdata/main.cpp", "emu.cpp").CombinedOutput()
	require.NoError(t, err, "%s", out)
	run := func(kernel, order string) string {
		c := exec.Command(binary, kernel, order)
		c.Env = append(c.Environ(), "ASAN_OPTIONS=detect_leaks=0")
		out, _ := c.CombinedOutput()
		return string(out)
	}

	t.Run("right", func(t *testing.T) {
		want := run("right", "ascending")
		require.True(t, strings.HasPrefix(want, "63 62 61 "), want)
		for _, order := range orders {
			assert.Equal(t, want, run("right", order), order)
		}
	})
	for _, kernel := range []string{"missing_barrier", "missing_wait", "barrier_too_few", "uninitialised_shared", "uninitialised_dynamic", "warp_without_sync", "blocks_race"} {
		t.Run(kernel, func(t *testing.T) {
			assert.NotEqual(t, run(kernel, "ascending"), run(kernel, "descending"))
			assert.NotEqual(t, run("right", "shuffled"), run(kernel, "shuffled"))
		})
	}
	for kernel, want := range map[string]string{
		"out_of_bounds_read":    "heap-buffer-overflow",
		"out_of_bounds_write":   "heap-buffer-overflow",
		"out_of_bounds_shared":  "global-buffer-overflow",
		"out_of_bounds_dynamic": "heap-buffer-overflow",
		"no_wait":               "ends with copies on their way",
		"misaligned_copy":       "copies from or to an address that is no multiple of the copy's size",
		"divergent_barrier":     "thread 0 waits at __syncthreads while thread 40 has ended",
		"divergent_shuffle":     "thread 0 waits for its warp while thread 16 has ended",
	} {
		t.Run(kernel, func(t *testing.T) {
			for _, order := range orders {
				assert.Contains(t, run(kernel, order), want, order)
			}
		})
	}
}

func TestEveryKernelIsCompiledForTheHost(t *testing.T) {
	sources, err := filepath.Glob("*.cu")
	require.NoError(t, err)
	host, err := os.ReadFile("host.cpp")
	require.NoError(t, err)
	for _, source := range sources {
		assert.Contains(t, string(host), `#include "`+source+`"`)
	}
}
