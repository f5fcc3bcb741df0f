//go:build cuda

package cudnn

import (
	"os"
	"os/exec"
	"path/filepath"
)

// name is the library as its packages install it, for every release of cuDNN 9.
const name = "libcudnn.so.9"

// places lists where the library may be, in the order in which they are tried:
// what CUDNN_PATH names, then what the system's loader finds by name alone, then
// the wheel of a Python environment: the active one, that of python3, the user's.
func places() []string {
	var found []string
	add := func(patterns ...string) {
		for _, p := range patterns {
			files, _ := filepath.Glob(p) // a pattern that is none finds nothing
			found = append(found, files...)
		}
	}
	if path := os.Getenv("CUDNN_PATH"); path != "" {
		if filepath.Base(path) == name {
			add(path)
		}
		add(filepath.Join(path, name), filepath.Join(path, "lib", name), filepath.Join(path, "lib64", name), filepath.Join(path, "lib", "*-linux-gnu", name))
	}
	found = append(found, name)
	for _, root := range pythons() {
		for _, packages := range []string{"site-packages", "dist-packages"} {
			add(filepath.Join(root, "lib", "python3*", packages, "nvidia", "cudnn", "lib", name))
		}
	}
	return found
}

// pythons are the roots of Python's environments.
func pythons() (roots []string) {
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if root := os.Getenv(variable); root != "" {
			roots = append(roots, root)
		}
	}
	if python, err := exec.LookPath("python3"); err == nil {
		roots = append(roots, filepath.Dir(filepath.Dir(python)))
	}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	return roots
}
