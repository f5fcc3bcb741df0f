//go:build cuda

package kernels

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// What kernels/compile made of the sources.
//
//go:embed gen
var gen embed.FS

const suffix = ".fatbin.zst"

// warpgroups is how the names of those end that only a GPU of compute capability 9.0 runs.
const warpgroups = ".sm_90a"

// Fatbins are the compiled kernels for GPUs of a compute capability, by the name of their
// source without .cu, and what that has for warpgroups by the name with .sm_90a.
func Fatbins(capability [2]int) (map[string]string, error) {
	paths, err := fs.Glob(gen, "gen/*"+suffix)
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("the kernels were not compiled: run kernels/compile and build again")
	}
	unpack, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	images := map[string]string{}
	for _, path := range paths {
		name := path[len("gen/") : len(path)-len(suffix)]
		if strings.HasSuffix(name, warpgroups) && capability != [2]int{9, 0} {
			continue
		}
		packed, err := gen.ReadFile(path)
		if err != nil {
			return nil, err
		}
		image, err := unpack.DecodeAll(packed, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		images[name] = string(image)
	}
	return images, nil
}
