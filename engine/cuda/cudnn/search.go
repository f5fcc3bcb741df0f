//go:build cuda

package cudnn

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
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
	for _, packages := range pythonPath() {
		if p := filepath.Join(packages, "nvidia", "cudnn", "lib", name); !slices.Contains(found, p) {
			add(p)
		}
	}
	return found
}

// pythonPath is where python3 itself looks for packages, which may be a link, or start
// another, whose folders lie elsewhere. Nothing where it does not say so soon.
func pythonPath() []string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print('\\n'.join(p for p in sys.path if p))").Output()
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
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
