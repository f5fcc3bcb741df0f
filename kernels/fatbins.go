//go:build cuda

package kernels

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"io/fs"
)

// What kernels/compile made of the sources.
//
//go:embed gen
var gen embed.FS

// Fatbins are the compiled kernels, by the name of their source without .cu.
func Fatbins() (map[string]string, error) {
	paths, err := fs.Glob(gen, "gen/*.fatbin.gz")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("the kernels were not compiled: run kernels/compile and build again")
	}
	images := map[string]string{}
	for _, path := range paths {
		packed, err := gen.ReadFile(path)
		if err != nil {
			return nil, err
		}
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		image, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		images[path[len("gen/"):len(path)-len(".fatbin.gz")]] = string(image)
	}
	return images, nil
}
