package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"gorgonia.org/tensor"

	"mdp/engine/dtype"
)

// Encode writes the tensors (float32 or int64, row-major) and the metadata (may be nil) to w, ordered by name.
// Nothing is written when a tensor cannot be.
func Encode(w io.Writer, tensors map[string]*tensor.Dense, metadata map[string]string) error {
	return encodeAll(w, slices.Sorted(maps.Keys(tensors)), metadata, func(name string) (dtype.Type, []int, error) {
		return describe(tensors[name])
	}, func(name string) error {
		switch data := tensors[name].Data().(type) {
		case []float32:
			return writeAll(w, data)
		case []int64:
			return writeAll(w, data)
		default: // a scalar: describe refused all else
			return binary.Write(w, binary.LittleEndian, data)
		}
	})
}

// EncodeEach is Encode of float32 tensors of the given shapes, of which one at a time is held: fill sets dst
// to its elements.
func EncodeEach(w io.Writer, shapes map[string][]int, metadata map[string]string, fill func(dst []float32, name string)) error {
	var dst []float32
	return encodeAll(w, slices.Sorted(maps.Keys(shapes)), metadata, func(name string) (dtype.Type, []int, error) {
		return dtype.F32, shapes[name], nil
	}, func(name string) error {
		n := tensor.Shape(shapes[name]).TotalSize()
		dst = slices.Grow(dst[:0], n)[:n]
		fill(dst, name)
		return writeAll(w, dst)
	})
}

// encodeAll writes the tensors called names, each as describe says, by calling write with it.
func encodeAll(w io.Writer, names []string, metadata map[string]string, describe func(name string) (dtype.Type, []int, error), write func(name string) error) error {
	header, err := encodeHeader(names, metadata, describe)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for _, name := range names {
		if err := write(name); err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
	}
	return nil
}

// encodeHeader returns the length word and the header, padded so that the data start at a multiple of 8.
func encodeHeader(names []string, metadata map[string]string, describe func(name string) (dtype.Type, []int, error)) ([]byte, error) {
	header := make(map[string]any, len(names)+1) // json.Marshal sorts the keys
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %.80q: not valid UTF-8", k)
			}
		}
		header[metadataKey] = metadata
	}
	var offset int64
	for _, name := range names {
		kind, shape, err := describe(name)
		if name == metadataKey || !utf8.ValidString(name) {
			err = errors.New("not a name the format allows")
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %.80q: %w", name, err)
		}
		end := offset + int64(tensor.Shape(shape).TotalSize()*kind.Size())
		header[name] = entry{kind, shape, []int64{offset, end}}
		offset = end
	}
	b, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b) > maxHeaderBytes {
		return nil, fmt.Errorf("header of %d bytes is over the limit of %d", len(b), maxHeaderBytes)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b...), nil
}

// describe says what a tensor is in the file, or why it cannot be written.
func describe(t *tensor.Dense) (dtype.Type, []int, error) {
	switch {
	case t == nil:
		return "", nil, errors.New("is nil")
	case !t.IsScalar() && (t.DataSize() != t.Shape().TotalSize() || t.DataOrder() != 0):
		return "", nil, fmt.Errorf("shape %v is a view, transposed or column-major: write a row-major copy", t.Shape())
	}
	shape := append([]int{}, t.Shape()...) // never nil: a scalar's shape is [], not null
	switch t.Dtype() {
	case tensor.Float32:
		return dtype.F32, shape, nil
	case tensor.Int64:
		return dtype.I64, shape, nil
	}
	return "", nil, fmt.Errorf("dtype %v cannot be written: convert it to float32 or int64", t.Dtype())
}

// writeAll writes data in chunks, so that a large tensor is never held twice.
func writeAll[T float32 | int64](w io.Writer, data []T) error {
	chunk := make([]byte, 0, min(len(data), 1<<14)*binary.Size(T(0)))
	for part := range slices.Chunk(data, 1<<14) {
		chunk, err := binary.Append(chunk, binary.LittleEndian, part)
		if err != nil {
			return err
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
