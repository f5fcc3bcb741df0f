package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Exclude keeps other processes of this machine from measuring at the same place, a
// GPU's, until release is called or this process ends. Nobody is kept from "".
func Exclude(place string) (release func() error, err error) {
	if place == "" {
		return func() error { return nil }, nil
	}
	path := filepath.Join(os.TempDir(), "mdp-bench-"+strings.NewReplacer("/", "-", ":", "-").Replace(place)+".lock")
	f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock of %s: %w", place, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another mdp bench is measuring on %s: wait for it (lock %s)", place, path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f.Close, nil
}
