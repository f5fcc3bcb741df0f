// Package atomicfile replaces files whole or not at all, whenever the process
// is killed or the power goes.
package atomicfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write fills a temporary file beside path, syncs it to the disk and renames it
// over path. On an error what was there stays. The temporary file's name is
// fixed, so that what a killed process leaves is overwritten by the next and
// never piles up; two processes must not write the same path at once.
func Write(path string, fill func(io.Writer) error) (err error) {
	dir, name := filepath.Split(path)
	temporary := filepath.Join(dir, "."+name+".tmp")
	defer func() {
		if err != nil {
			os.Remove(temporary)
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Join(dir, "."))
}

// syncFolder makes a rename in the folder survive a power cut.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
