//go:build cuda

package kernels

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/klauspost/compress/zstd"
)

// What kernels/compile made of the sources.
//
//go:embed gen
var gen embed.FS

const suffix = ".fatbin.zst"

// Fatbins are the compiled kernels, by the name of their source without .cu.
func Fatbins() (map[string]string, error) {
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
		packed, err := gen.ReadFile(path)
		if err != nil {
			return nil, err
		}
		image, err := unpack.DecodeAll(packed, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		images[path[len("gen/"):len(path)-len(suffix)]] = string(image)
	}
	return images, nil
}
