//go:build cuda

package kernels

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fatbin of other sources or flags than these fails here; and of another
// compiler, where $NVCC says which one is meant.
func TestFatbinsAreOfTheseSources(t *testing.T) {
	entries, err := fs.ReadDir(Sources, ".")
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	all := sha256.New()
	images, err := Fatbins([2]int{9, 0})
	require.NoError(t, err)
	others, err := Fatbins([2]int{8, 6})
	require.NoError(t, err)
	sources, ofWarpgroups := 0, 0
	for _, name := range names {
		text, err := Sources.ReadFile(name)
		require.NoError(t, err)
		fmt.Fprintf(all, "%x  %s\n", sha256.Sum256(text), name)
		if base, ok := strings.CutSuffix(name, ".cu"); ok {
			sources++
			assert.Contains(t, others, base)
			if strings.Contains(string(text), "WARPGROUP") {
				ofWarpgroups++
				assert.Contains(t, images, base+warpgroups)
			}
		}
	}
	assert.Len(t, others, sources)
	assert.Len(t, images, sources+ofWarpgroups)
	manifest, err := gen.ReadFile("gen/manifest")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(manifest)), "\n")
	if nvcc := os.Getenv("NVCC"); nvcc != "" {
		out, err := exec.Command(nvcc, "--version").Output()
		require.NoError(t, err)
		version := strings.Split(strings.TrimSpace(string(out)), "\n")
		assert.Equal(t, version[len(version)-1], lines[len(lines)-1], "compiled by another nvcc: run kernels/compile")
	}
	assert.Equal(t, lines[0], fmt.Sprintf("%x", all.Sum(nil)), "sources changed since they were compiled: run kernels/compile")
}
