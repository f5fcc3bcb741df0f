package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"mdp/engine/dtype"
)

const (
	metadataKey = "__metadata__"

	// Bounds on what a header may make us allocate. ResNet-152's header has 0.1 MB in entries of 100 bytes.
	maxHeaderBytes = 16 << 20
	maxEntryBytes  = 1 << 10
)

// entry is what the header says of one tensor; Offsets count from the end of the header.
type entry struct {
	Dtype   dtype.Type `json:"dtype"`
	Shape   []int      `json:"shape"`
	Offsets []int64    `json:"data_offsets"`
}

// File is a safetensors file whose header has been read and checked; its tensors are read one at a time.
type File struct {
	r        io.ReaderAt
	data     int64 // where the tensors begin
	entries  map[string]entry
	metadata map[string]string
}

// NewFile reads the header of a file of size bytes. Every byte must be accounted for: tensors neither overlap
// nor leave holes. Errors are one line and name the tensor.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	if size < 8 {
		return nil, fmt.Errorf("not a safetensors file: %d bytes, at least 8 expected", size)
	}
	var word [8]byte
	if _, err := r.ReadAt(word[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(word[:])
	switch {
	case n > maxHeaderBytes:
		return nil, fmt.Errorf("not a safetensors file: header of %d bytes is over the limit of %d", n, maxHeaderBytes)
	case n > uint64(size-8):
		return nil, fmt.Errorf("truncated: header of %d bytes, %d found", n, size-8)
	}
	f := &File{r: r, data: 8 + int64(n)}
	var err error
	if f.entries, f.metadata, err = decodeHeader(io.NewSectionReader(r, 8, int64(n))); err != nil {
		return nil, err
	}
	return f, checkLayout(f.entries, size-f.data)
}

// Metadata of the file, nil if it has none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Names of the tensors in the order in which they lie in the file.
func (f *File) Names() []string { return inOrder(f.entries) }

// Shape of a tensor, to be read only, and its type.
func (f *File) Shape(name string) ([]int, dtype.Type) {
	e := f.entries[name]
	return e.Shape, e.Dtype
}

// Floats fills dst with a tensor of floating point, which has as many elements.
func (f *File) Floats(dst []float32, name string) error {
	e := f.entries[name]
	if err := e.Dtype.Read(dst, f.section(e)); err != nil {
		return fmt.Errorf("tensor %.80q: %w", name, err)
	}
	return nil
}

func (f *File) section(e entry) io.Reader {
	return io.NewSectionReader(f.r, f.data+e.Offsets[0], e.Offsets[1]-e.Offsets[0])
}

// tensors reads all of them: float32, whatever type of floating point they have in the file, or int64.
func (f *File) tensors() (map[string]*tensor.Dense, error) {
	tensors := make(map[string]*tensor.Dense, len(f.entries))
	for name, e := range f.entries {
		count := 1
		for _, d := range e.Shape {
			count *= d
		}
		switch {
		case e.Dtype.Float():
			data := make([]float32, count)
			if err := f.Floats(data, name); err != nil {
				return nil, err
			}
			tensors[name] = newDense(data, e.Shape)
		case e.Dtype == dtype.I64:
			data := make([]int64, count)
			if err := binary.Read(f.section(e), binary.LittleEndian, data); err != nil {
				return nil, fmt.Errorf("tensor %.80q: %w", name, err)
			}
			tensors[name] = newDense(data, e.Shape)
		default:
			return nil, fmt.Errorf("tensor %.80q: dtype %q is not read: convert it to F32 or I64", name, e.Dtype)
		}
	}
	return tensors, nil
}

// decodeHeader walks the header's keys one by one, because a decoder of whole maps keeps the last of two equal names silently.
func decodeHeader(header io.Reader) (map[string]entry, map[string]string, error) {
	dec := json.NewDecoder(header)
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
	width := int64(e.Dtype.Size())
	switch {
	case width == 0:
		return entry{}, fmt.Errorf("dtype %q is not known", string(e.Dtype))
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
	if size%width != 0 || count != size/width {
		return entry{}, fmt.Errorf("shape %v of %s does not fill its %d bytes of data", e.Shape, e.Dtype, size)
	}
	return e, nil
}

// checkLayout checks that the tensors tile the data: no overlap, no hole, nothing left over.
func checkLayout(entries map[string]entry, dataBytes int64) error {
	var end int64
	for _, name := range inOrder(entries) {
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

// inOrder lists the tensors as they lie in the file.
func inOrder(entries map[string]entry) []string {
	return slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		return cmp.Or(cmp.Compare(entries[a].Offsets[0], entries[b].Offsets[0]), cmp.Compare(a, b))
	})
}

func newDense[T float32 | int64](data []T, shape []int) *tensor.Dense {
	if len(shape) == 0 {
		return tensor.New(tensor.FromScalar(data[0]))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}
