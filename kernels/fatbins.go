//go:build cuda

package kernels

import (
	"embed"
	"fmt"
	"io/fs"
)

// What kernels/compile made of the sources.
//
//go:embed gen
var gen embed.FS

// Fatbins are the compiled kernels, by the name of their source without .cu.
func Fatbins() (map[string]string, error) {
	paths, err := fs.Glob(gen, "gen/*.fatbin")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("the kernels were not compiled: run kernels/compile and build again")
	}
	images := map[string]string{}
	for _, path := range paths {
		image, err := gen.ReadFile(path)
		if err != nil {
			return nil, err
		}
		images[path[len("gen/"):len(path)-len(".fatbin")]] = string(image)
	}
	return images, nil
}
