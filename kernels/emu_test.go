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
		"-I.", "-o", binary, "testdata/main.cpp", "emu.cpp", "wgmma.cpp").CombinedOutput()
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

// A warpgroup's product is right in every layout, and every kernel of testdata/products.cu
// that is wrong is found, in every order.
func TestProductsOfWarpgroups(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "products")
	out, err := exec.Command("g++", "-std=c++17", "-O1", "-g", "-Wno-unknown-pragmas", "-fsanitize=address",
		"-I.", "-o", binary, "testdata/products.cpp", "emu.cpp", "wgmma.cpp").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for kernel, want := range map[string]string{
		"along": "right", "a_across": "right", "b_across": "right", "across": "right",
		"no_proxy_fence_": "multiplies a copy that has not had fence.proxy.async and then a barrier",
		"no_barrier_":     "multiplies a copy that has not had fence.proxy.async and then a barrier",
		"no_copy_wait_":   "multiplies what no copy that was waited for has brought",
		"no_swizzle_":     "wrong",
		"wrong_stride_":   "wrong",
		"no_wgmma_fence_": "multiplies into registers without wgmma.fence",
		"no_wait_":        "nan",
		"touches_":        "writes sums whose products are on their way",
		"overwrites_":     "copies over an operand of a product that is on its way",
		"others_":         "multiplies other operands than the rest of its warpgroup",
		"part_":           "waits for its warpgroup while thread 96 has ended",
		"never_waits":     "ends with products on their way",
	} {
		t.Run(kernel, func(t *testing.T) {
			for _, order := range orders {
				c := exec.Command(binary, kernel, order)
				c.Env = append(c.Environ(), "ASAN_OPTIONS=detect_leaks=0")
				out, _ := c.CombinedOutput()
				assert.Contains(t, string(out), want, order)
			}
		})
	}
	t.Run("layouts", func(t *testing.T) { // hashes that testdata/layouts.py makes with CuTe's algebra
		want, err := os.ReadFile("testdata/layouts.txt")
		require.NoError(t, err)
		out, err := exec.Command(binary, "layouts").CombinedOutput()
		require.NoError(t, err)
		assert.Equal(t, string(want), string(out))
	})
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
