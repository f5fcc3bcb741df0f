package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"gorgonia.org/tensor"
)

const (
	metadataKey = "__metadata__"

	// Bounds on what a header may make us allocate. ResNet-152's header has 0.1 MB in entries of 100 bytes.
	maxHeaderBytes = 16 << 20
	maxEntryBytes  = 1 << 10
)

// dtypes are the element types read and written, by their name in the format.
var dtypes = map[string]struct {
	tensor tensor.Dtype
	bytes  int64
}{
	"F32": {tensor.Float32, 4},
	"I64": {tensor.Int64, 8},
}

// entry is what the header says of one tensor; Offsets count from the end of the header.
type entry struct {
	Dtype   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Offsets []int64 `json:"data_offsets"`
}

// Decode returns the tensors (float32 or int64; copies, b is not kept) and the metadata in the bytes of a safetensors file.
// Every byte must be accounted for: tensors neither overlap nor leave holes. Errors are one line and name the tensor.
func Decode(b []byte) (map[string]*tensor.Dense, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("not a safetensors file: %d bytes, at least 8 expected", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	switch {
	case n > maxHeaderBytes:
		return nil, nil, fmt.Errorf("not a safetensors file: header of %d bytes is over the limit of %d", n, maxHeaderBytes)
	case n > uint64(len(b)-8):
		return nil, nil, fmt.Errorf("truncated: header of %d bytes, %d found", n, len(b)-8)
	}
	entries, metadata, err := decodeHeader(b[8 : 8+n])
	if err != nil {
		return nil, nil, err
	}
	data := b[8+n:]
	if err := checkLayout(entries, int64(len(data))); err != nil {
		return nil, nil, err
	}

	tensors := make(map[string]*tensor.Dense, len(entries))
	for name, e := range entries {
		t, err := e.decode(data[e.Offsets[0]:e.Offsets[1]])
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %.80q: %w", name, err)
		}
		tensors[name] = t
	}
	return tensors, metadata, nil
}

// decodeHeader walks the header's keys one by one, because a decoder of whole maps keeps the last of two equal names silently.
func decodeHeader(header []byte) (map[string]entry, map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("not a safetensors file: the header is not a JSON object")
	}
	entries := make(map[string]entry)
	var metadata map[string]string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("header: %w", err)
		}
		name := key.(string)
		if name == metadataKey {
			if metadata != nil {
				return nil, nil, errors.New("header: metadata given twice")
			}
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("header: metadata: %w", err)
			}
			continue
		}
		if _, twice := entries[name]; twice {
			return nil, nil, fmt.Errorf("tensor %.80q: given twice", name)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, nil, fmt.Errorf("tensor %.80q: %w", name, err)
		}
		if entries[name], err = parseEntry(raw); err != nil {
			return nil, nil, fmt.Errorf("tensor %.80q: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, nil, errors.New("header: something follows the JSON object")
	}
	return entries, metadata, nil
}

// parseEntry parses and checks what can be known of one tensor without the others.
func parseEntry(raw json.RawMessage) (entry, error) {
	if len(raw) > maxEntryBytes {
		return entry{}, fmt.Errorf("header entry of %d bytes is over the limit of %d", len(raw), maxEntryBytes)
	}
	var e entry
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return entry{}, err
	}
	dtype, known := dtypes[e.Dtype]
	switch {
	case !known:
		return entry{}, fmt.Errorf("dtype %q is not read: convert it to F32 or I64", e.Dtype)
	case e.Shape == nil:
		return entry{}, errors.New("no shape")
	case len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[1] < e.Offsets[0]:
		return entry{}, fmt.Errorf("data_offsets %v are not [begin, end]", e.Offsets)
	}

	size := e.Offsets[1] - e.Offsets[0]
	count := int64(1) // of elements; stays at most size, so the product cannot overflow
	for _, d := range e.Shape {
		if d <= 0 {
			return entry{}, fmt.Errorf("shape %v has a dimension that is not positive", e.Shape)
		}
		if int64(d) > size/count {
			return entry{}, fmt.Errorf("shape %v of %s needs more than its %d bytes of data", e.Shape, e.Dtype, size)
		}
		count *= int64(d)
	}
	if size%dtype.bytes != 0 || count != size/dtype.bytes {
		return entry{}, fmt.Errorf("shape %v of %s does not fill its %d bytes of data", e.Shape, e.Dtype, size)
	}
	return e, nil
}

// checkLayout checks that the tensors tile the data: no overlap, no hole, nothing left over.
func checkLayout(entries map[string]entry, dataBytes int64) error {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(entries[a].Offsets[0], entries[b].Offsets[0]), cmp.Compare(a, b))
	})
	var end int64
	for _, name := range names {
		o := entries[name].Offsets
		switch {
		case o[0] != end:
			return fmt.Errorf("tensor %.80q: data begin at byte %d, %d expected: overlap or hole", name, o[0], end)
		case o[1] > dataBytes:
			return fmt.Errorf("tensor %.80q: truncated: data end at byte %d, the file's at %d", name, o[1], dataBytes)
		}
		end = o[1]
	}
	if end != dataBytes {
		return fmt.Errorf("%d bytes follow the last tensor", dataBytes-end)
	}
	return nil
}

// decode makes the tensor from its bytes, whose number parseEntry checked.
func (e entry) decode(b []byte) (*tensor.Dense, error) {
	if e.Dtype == "I64" {
		return newDense[int64](b, e.Shape)
	}
	return newDense[float32](b, e.Shape)
}

func newDense[T float32 | int64](b []byte, shape []int) (*tensor.Dense, error) {
	count := 1
	for _, d := range shape {
		count *= d
	}
	data := make([]T, count)
	if _, err := binary.Decode(b, binary.LittleEndian, data); err != nil {
		return nil, err
	}
	if len(shape) == 0 {
		return tensor.New(tensor.FromScalar(data[0])), nil
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)), nil
}
