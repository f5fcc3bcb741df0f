// Package pytorch reads weights that PyTorch's tools wrote, safetensors files and
// torch.save's, and writes networks as they read them. Nothing in a file is executed.
package pytorch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"mdp/engine/dtype"
	"mdp/engine/safetensors"
)

// Checkpoint is an open file of named tensors. What it takes in memory is their
// names and shapes; numbers are read when they are asked for.
type Checkpoint struct {
	Tensors []Tensor // in the file's order

	ours bool // this program wrote it: filters are KRSC
	file *os.File
}

// Tensor is a tensor in a file.
type Tensor struct {
	Name  string
	Shape []int
	Type  dtype.Type

	read func(dst []float32) error // as many as Shape has; row-major
}

// Open opens a safetensors file or one of torch.save's, whichever it is.
func Open(path string) (*Checkpoint, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a folder; name the file in it")
	}
	c := &Checkpoint{file: f}
	if err == nil {
		err = c.open(f, info.Size())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.unwrap()
	return c, nil
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.file.Close() }

func (c *Checkpoint) open(r io.ReaderAt, size int64) error {
	var begin [3]byte
	n, err := r.ReadAt(begin[:], 0)
	switch {
	case err != nil && err != io.EOF:
		return err
	case n == 0:
		return errors.New("the file is empty")
	case bytes.HasPrefix(begin[:], []byte("PK")):
		return c.openZip(r, size)
	case begin[0] == 0x80 && begin[2] == 0x8a: // a pickle of a long integer
		return c.openLegacy(r, size)
	}
	err = c.openSafetensors(r, size)
	if err != nil && begin[0] == 0x80 && begin[1] <= 5 {
		return errNoTorch
	}
	return err
}

// errNoTorch is of a file that begins as a pickle does, and whose rest is something else.
var errNoTorch = errors.New("a pickle that torch.save did not write: save the state dict with torch.save, or as safetensors")

func (c *Checkpoint) openSafetensors(r io.ReaderAt, size int64) error {
	f, err := safetensors.NewFile(r, size)
	if err != nil {
		return err
	}
	c.ours = f.Metadata()["layout"] == "KRSC"
	for _, name := range f.Names() {
		shape, kind := f.Shape(name)
		c.Tensors = append(c.Tensors, Tensor{name, shape, kind, func(dst []float32) error { return f.Floats(dst, name) }})
	}
	return nil
}

// wrappers are modules that hold a network and nothing else: data parallelism's,
// torch.compile's, and what people call it.
var wrappers = []string{"module.", "_orig_mod.", "model.", "net.", "backbone."}

// unwrap takes the wrappers' names off the tensors', as long as all have them.
func (c *Checkpoint) unwrap() {
	for i := 0; i < len(wrappers); i++ {
		if !c.all(wrappers[i]) {
			continue
		}
		for j := range c.Tensors {
			c.Tensors[j].Name = c.Tensors[j].Name[len(wrappers[i]):]
		}
		i = -1
	}
}

func (c *Checkpoint) all(prefix string) bool {
	for _, t := range c.Tensors {
		if !strings.HasPrefix(t.Name, prefix) {
			return false
		}
	}
	return len(c.Tensors) > 0
}
