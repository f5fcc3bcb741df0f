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
	"io"
	"os"

	"gorgonia.org/tensor"

	"mdp/engine/atomicfile"
)

// Read returns the tensors (float32, whatever type of floating point they have in the file, or int64) and the
// metadata of a file, with little more memory than the tensors take. An error names the file and the tensor.
func Read(path string) (map[string]*tensor.Dense, map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err // names the file already
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	tensors, metadata, err := read(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return tensors, metadata, nil
}

func read(r io.ReaderAt, size int64) (map[string]*tensor.Dense, map[string]string, error) {
	f, err := NewFile(r, size)
	if err != nil {
		return nil, nil, err
	}
	tensors, err := f.tensors()
	return tensors, f.metadata, err
}

// Write writes the tensors (float32 or int64) and the metadata (may be nil) to a file, or leaves what
// was there untouched. Equal arguments give equal bytes.
func Write(path string, tensors map[string]*tensor.Dense, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, tensors, metadata) })
}
