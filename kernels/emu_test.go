//go:build emu

// A package that its tests are part of is compiled again for them, and with it its C++.
package kernels_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var orders = []string{"ascending", "descending", "shuffled"}

// reverse compiles testdata/broken.cu and returns what runs one of its kernels.
func reverse(t *testing.T, flags string, sources ...string) func(kernel, order string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "broken")
	args := append(strings.Fields("-std=c++17 -g -Wno-unknown-pragmas -I. "+flags), "-o", binary)
	out, err := exec.Command("g++", append(args, sources...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return func(kernel, order string) string {
		c := exec.Command(binary, kernel, order)
		c.Env = append(c.Environ(), "ASAN_OPTIONS=detect_leaks=0")
		out, _ := c.CombinedOutput()
		return string(out)
	}
}

// Kernels of testdata/broken.cu are wrong, each in its own way, and each way is found.
func TestBrokenKernelsAreFound(t *testing.T) {
	run := reverse(t, "-O1 -fsanitize=address -fsanitize-sections=emu_shared", "testdata/main.cpp", "emu.cpp", "wgmma.cpp")
	rightIsRight(t, run)
	for _, kernel := range []string{"missing_barrier", "missing_wait", "barrier_too_few", "uninitialised_shared", "uninitialised_dynamic", "warp_without_sync", "blocks_race"} {
		t.Run(kernel, func(t *testing.T) {
			assert.NotEqual(t, run(kernel, "ascending"), run(kernel, "descending"))
			assert.NotEqual(t, run("right", "shuffled"), run(kernel, "shuffled"))
		})
	}
	areFound(t, run, map[string]string{
		"out_of_bounds_read":     "heap-buffer-overflow",
		"out_of_bounds_write":    "heap-buffer-overflow",
		"out_of_bounds_shared":   "global-buffer-overflow",
		"out_of_bounds_dynamic":  "heap-buffer-overflow",
		"out_of_bounds_matrices": "global-buffer-overflow",
		"misaligned_matrices":    "reads a matrix's row from an address that is no multiple of 16",
		"no_wait":                "ends with copies on their way",
		"misaligned_copy":        "copies from or to an address that is no multiple of the copy's size",
		"divergent_barrier":      "thread 0 waits at __syncthreads while thread 40 has ended",
		"divergent_shuffle":      "thread 0 waits for its warp while thread 16 has ended",
		"divergent_product":      "thread 0 waits for its warp while thread 31 has ended",
		"different_barriers":     "thread 0 is at __syncthreads of line",
		"different_shuffles":     "another of its warp wait for it at different places",
		"half_a_warp":            "calls on part of its warp",
	})
}

// check.cpp finds more, and says what it is. The flags are those of make test-check.
func TestChecksFindBrokenKernels(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	flags := regexp.MustCompile(`CGO_CXXFLAGS='(.*fsanitize=thread.*?)'`).FindSubmatch(makefile)
	require.NotNil(t, flags)
	run := reverse(t, string(flags[1]), "testdata/main.cpp", "emu.cpp", "wgmma.cpp", "check.cpp")
	rightIsRight(t, run)
	const race = "(reads|writes) what is (read|written) by thread [0-9]+"
	areFound(t, run, map[string]string{
		"missing_barrier":          "nobody has written: a __shared__ array|" + race + ", with no barrier between: a __shared__ array",
		"matrices_without_barrier": "nobody has written: a __shared__ array|" + race + ", with no barrier between: a __shared__ array",
		"missing_wait":             "thread [0-9]+ uses what a copy is on its way to: a __shared__ array",
		"barrier_too_few":          race + ", with no barrier between: a __shared__ array",
		"uninitialised_shared":     "thread 58 reads what nobody has written: a __shared__ array",
		"uninitialised_dynamic":    "thread 58 reads what nobody has written: byte 20 of 256 of dynamic shared memory",
		"uninitialised":            "thread 7 reads what nobody has written: byte 28 of 256 of device memory",
		"warp_without_sync":        "nobody has written|" + race + ", with no barrier between",
		"shuffle_orders_nothing":   race + ", with no barrier between: a __shared__ array",
		"overtaken":                race + ", with no barrier between: a __shared__ array",
		"copy_over_readers":        race + ", with no barrier between: a __shared__ array",
		"same_place":               race + ", with no barrier between: byte [0-9]+ of 256 of device memory",
		"blocks_race":              race + " of another block of the launch: byte [0-9]+ of 256 of device memory",
		"blocks_same_place":        race + " of another block of the launch: byte [0-9]+ of 256 of device memory",
		"blocks_read_blocks":       race + " of another block of the launch: byte [0-9]+ of 256 of device memory",
		"blocks_read_a_sum":        race + " of another block of the launch: byte [0-9]+ of 256 of device memory",
		"out_of_bounds_read":       "thread 0 reads: device memory outside of every allocation",
		"out_of_bounds_write":      "thread 63 writes: device memory outside of every allocation",
		"out_of_bounds_shared":     "thread 63 indexes beyond an array's end at testdata/broken.cu:",
		"out_of_bounds_dynamic":    "thread 63 writes beyond the end: byte 256 of 256 of dynamic shared memory",
		"misaligned_quad":          "uses an address that is no multiple of what lies there at testdata/broken.cu:",
		"misaligned_pair":          "uses an address that is no multiple of what lies there at testdata/broken.cu:",
		"large_index":              "multiplies to more than an int holds at testdata/broken.cu:",
		"large_place":              "multiplies to more than an int holds at testdata/broken.cu:",
		"large_float":              "casts to an int what none holds at testdata/broken.cu:",
	})
}

func rightIsRight(t *testing.T, run func(kernel, order string) string) {
	want := run("right", "ascending")
	require.True(t, strings.HasPrefix(want, "63 62 61 "), want)
	for _, kernel := range []string{"right", "right_in_warps", "right_copies", "right_matrices", "blocks_right"} {
		for _, order := range orders {
			assert.Equal(t, want, run(kernel, order), "%s %s", kernel, order)
		}
	}
}

func areFound(t *testing.T, run func(kernel, order string) string, found map[string]string) {
	for kernel, want := range found {
		t.Run(kernel, func(t *testing.T) {
			for _, order := range orders {
				assert.Regexp(t, want, run(kernel, order), order)
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
