// Package safetensors reads and writes named tensors in the safetensors format
// (https://huggingface.co/docs/safetensors), which PyTorch tools read and write too:
//
//	8 bytes   n, the header's length, little endian
//	n bytes   JSON: {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, …}, padded with spaces
//	the rest  the tensors' bytes, little endian, without holes or overlaps
//
// It is our own because the Go package there is, github.com/nlpodyssey/safetensors, is sound on
// honest files only: a hostile header costs it 57 times the file in memory, a name given twice is
// accepted, and its errors do not name the tensor (or quote megabytes of header). The tests use it
// as the independent second reader and writer.
package safetensors

import (
	"fmt"
	"os"
	"path/filepath"

	"gorgonia.org/tensor"
)

// Read returns the tensors (float32 or int64) and the metadata of a file. It holds the file's bytes and
// the tensors at once: about twice the file's size. An error names the file and the tensor.
func Read(path string) (map[string]*tensor.Dense, map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err // names the file already
	}
	tensors, metadata, err := Decode(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, metadata, nil
}

// Write writes the tensors (float32 or int64) and the metadata (may be nil) to a file, or leaves what
// was there untouched: the bytes go to a temporary file beside it, are synced to the disk and renamed. Equal
// arguments give equal bytes.
func Write(path string, tensors map[string]*tensor.Dense, metadata map[string]string) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+name+".tmp*")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()

	if err := Encode(f, tensors, metadata); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil { // CreateTemp's 0600 would hide the file from other users
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
