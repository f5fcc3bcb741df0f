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
	names := slices.Sorted(maps.Keys(tensors))
	header, err := encodeHeader(names, tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for _, name := range names {
		var err error
		switch data := tensors[name].Data().(type) {
		case []float32:
			err = writeAll(w, data)
		case []int64:
			err = writeAll(w, data)
		default: // a scalar: encodeHeader refused all else
			err = binary.Write(w, binary.LittleEndian, data)
		}
		if err != nil {
			return fmt.Errorf("tensor %.80q: %w", name, err)
		}
	}
	return nil
}

// encodeHeader returns the length word and the header, padded so that the data start at a multiple of 8.
func encodeHeader(names []string, tensors map[string]*tensor.Dense, metadata map[string]string) ([]byte, error) {
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
		e, err := newEntry(name, tensors[name], offset)
		if err != nil {
			return nil, fmt.Errorf("tensor %.80q: %w", name, err)
		}
		header[name] = e
		offset = e.Offsets[1]
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

// newEntry describes a tensor whose bytes begin at offset, or says why it cannot be written.
func newEntry(name string, t *tensor.Dense, offset int64) (entry, error) {
	switch {
	case name == metadataKey || !utf8.ValidString(name):
		return entry{}, errors.New("not a name the format allows")
	case t == nil:
		return entry{}, errors.New("is nil")
	case !t.IsScalar() && (t.DataSize() != t.Shape().TotalSize() || t.DataOrder() != 0):
		return entry{}, fmt.Errorf("shape %v is a view, transposed or column-major: write a row-major copy", t.Shape())
	}
	var kind dtype.Type
	switch t.Dtype() {
	case tensor.Float32:
		kind = dtype.F32
	case tensor.Int64:
		kind = dtype.I64
	default:
		return entry{}, fmt.Errorf("dtype %v cannot be written: convert it to float32 or int64", t.Dtype())
	}
	shape := append([]int{}, t.Shape()...) // never nil: a scalar's shape is [], not null
	size := int64(t.Shape().TotalSize() * kind.Size())
	return entry{kind, shape, []int64{offset, offset + size}}, nil
}

// writeAll writes data in chunks, so that a large tensor is never held twice.
func writeAll[T float32 | int64](w io.Writer, data []T) error {
	var chunk []byte
	for part := range slices.Chunk(data, 1<<14) {
		var err error
		if chunk, err = binary.Append(chunk[:0], binary.LittleEndian, part); err != nil {
			return err
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
