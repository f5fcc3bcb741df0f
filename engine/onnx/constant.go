package onnx

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// constant is a tensor known when converting. A uniform one has a single element
// in Raw, whatever its shape.
type constant struct {
	*Tensor
	uniform bool
}

// absent is an input left out.
var absent = &constant{Tensor: &Tensor{}}

// maxFolded is how many elements what is computed from constants may have where
// it is larger than they are.
const maxFolded = 1 << 20

// load makes sure that the elements are there: it reads those that lie outside
// the model's file.
func (c *converter) load(t *constant) error {
	if t.External == nil {
		if t.Type.width() == 0 {
			return fmt.Errorf("the constant %.80q is of %v, which is not read", t.Name, t.Type)
		}
		return nil
	}
	raw, err := c.outside(t.Tensor)
	if err != nil {
		return fmt.Errorf("the external data of %.80q: %w", t.Name, err)
	}
	inside := *t.Tensor
	inside.Raw, inside.External = raw, nil
	t.Tensor = &inside
	return nil
}

// outside is a tensor's data in a file beside the model's.
func (c *converter) outside(t *Tensor) ([]byte, error) {
	var location string
	offset, length := int64(0), int64(-1)
	for _, e := range t.External {
		var err error
		switch e.Key {
		case "location":
			location = e.Value
		case "offset":
			offset, err = strconv.ParseInt(e.Value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.Value, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %.40q is not a number", e.Key, e.Value)
		}
	}
	count, err := t.Len()
	if err != nil {
		return nil, err
	}
	width := t.Type.width()
	if width == 0 {
		return nil, fmt.Errorf("elements of %v are not read", t.Type)
	}
	need := count * width
	if length >= 0 && length != need {
		return nil, fmt.Errorf("%d bytes, the shape needs %d", length, need)
	}
	b, fresh, err := c.folder.file(location)
	if err != nil {
		return nil, err
	}
	if fresh {
		c.hold(len(b))
	}
	if size := int64(len(b)); offset < 0 || offset > size || need > size-offset {
		return nil, fmt.Errorf("%d bytes from %d on do not lie in %.80q, which has %d", need, offset, location, size)
	}
	return b[offset:][:need:need], nil
}

// floats are the elements, whose number must be n.
func (t *constant) floats(n int) ([]float32, error) {
	count, err := t.Len()
	if err != nil {
		return nil, err
	}
	if count != int64(n) { // before making room for them
		return nil, fmt.Errorf("the constant %.80q has %d elements, must have %d", t.Name, count, n)
	}
	v := make([]float32, n)
	return v, t.part(v, 0)
}

// part puts the elements from number at on into dst, as many as that has.
func (t *constant) part(dst []float32, at int) error {
	count, err := t.Len()
	if err != nil {
		return err
	}
	if at < 0 || count-int64(at) < int64(len(dst)) {
		return fmt.Errorf("the constant %.80q has %d elements, must have %d", t.Name, count, at+len(dst))
	}
	some, width := *t.Tensor, int(t.Type.width())
	if !t.uniform {
		some.Raw = t.Raw[at*width : (at+len(dst))*width]
	}
	v, err := some.Floats(dst[:0])
	if err == nil && t.uniform {
		for i := range dst {
			dst[i] = v[0]
		}
	}
	return err
}

// Ints are the elements of a constant of whole numbers: extents, axes, indices.
func (t *constant) Ints() ([]int64, error) {
	n, err := t.Len()
	if err == nil && n > maxFolded {
		err = fmt.Errorf("the constant %.80q has %d whole numbers; to compute with, %d are allowed", t.Name, n, maxFolded)
	}
	if err != nil {
		return nil, err
	}
	v, err := t.Tensor.Ints()
	if err == nil && t.uniform {
		v = slices.Repeat(v, int(n))
	}
	return v, err
}

// small is the number of elements, which must be such that computing with them is no burden.
func (t *constant) small() (int, error) {
	n, err := t.Len()
	if width := t.Type.width(); err == nil && n > maxFolded && (width == 0 || n > int64(len(t.Raw))/width) {
		err = fmt.Errorf("the constant %.80q has %d elements of one number; to compute with, %d are allowed", t.Name, n, maxFolded)
	}
	return int(n), err
}

// bytes are the elements as they lie in memory, each of its own.
func (t *constant) bytes() ([]byte, error) {
	if !t.uniform {
		return t.Raw, nil
	}
	n, err := t.small()
	if err != nil {
		return nil, err
	}
	return slices.Repeat(t.Raw, n), nil
}

// wholes makes a constant of int64.
func wholes(dims []int64, v []int64) *constant {
	t := &Tensor{Type: Int64, Dims: dims, Raw: make([]byte, 0, 8*len(v))}
	for _, e := range v {
		t.Raw = append64(t.Raw, uint64(e))
	}
	return &constant{Tensor: t}
}

// singles makes a constant of float32.
func singles(dims []int64, v []float32) *constant {
	t := &Tensor{Type: Float, Dims: dims, Raw: make([]byte, 0, 4*len(v))}
	for _, e := range v {
		t.Raw = append32(t.Raw, math.Float32bits(e))
	}
	return &constant{Tensor: t}
}

// axis is a dimension's number, which may count from the end, among rank.
func axis(a int64, rank int) (int, error) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		return 0, fmt.Errorf("axis %d of %d dimensions", a, rank)
	}
	return int(a), nil
}
