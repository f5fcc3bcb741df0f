package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"mdp/engine/dtype"
)

// width is the number of bytes of an element, 0 where it has no fixed one.
func (t DataType) width() int64 {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Uint16, Int16, Float16, BFloat16:
		return 2
	case Float, Int32, Uint32:
		return 4
	case Double, Int64, Uint64, Complex64:
		return 8
	case Complex128:
		return 16
	}
	return 0
}

func (t DataType) String() string {
	names := [...]string{"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double",
		"uint32", "uint64", "complex64", "complex128", "bfloat16"}
	if t < 0 || int(t) >= len(names) {
		return fmt.Sprintf("type %d", int32(t))
	}
	return names[t]
}

// maxRank is more dimensions than any tensor has.
const maxRank = 64

// Len is the number of elements, or an error where a dimension is negative or
// the product is not an int64's.
func (t *Tensor) Len() (int64, error) {
	n := int64(1)
	for _, d := range t.Dims {
		if d < 0 || d > 0 && n > math.MaxInt64/16/d {
			return 0, fmt.Errorf("tensor %.80q: a shape of %d dimensions is not one that memory holds: %.80s", t.Name, len(t.Dims), fmt.Sprint(t.Dims))
		}
		n *= d
	}
	return n, nil
}

// tensor decodes in two passes, because how wide the elements are may stand
// behind them. The typed fields become Raw, those of floats as they lie there.
func (d *decoder) tensor(b []byte, t *Tensor) error {
	n, err := count("tensor", b)
	if err != nil {
		return err
	}
	if t.External, err = room[Entry](d, n[13]); err != nil {
		return err
	}
	external := int64(0)
	err = each("tensor", b, func(f field) error {
		switch f.number {
		case 1:
			if len(t.Dims)+f.numbers() > maxRank {
				return fmt.Errorf("more than %d dimensions", maxRank)
			}
			return f.ints(d, &t.Dims)
		case 2:
			var kind int64
			err := f.int(&kind)
			t.Type = DataType(kind)
			return err
		case 3:
			return fmt.Errorf("segments are not read")
		case 8:
			return f.text(d, &t.Name)
		case 13:
			return message(f, &t.External, d.entry)
		case 14:
			return f.int(&external)
		}
		return nil
	})
	if err != nil {
		return err
	}
	length, err := t.Len()
	if err != nil {
		return err
	}
	if external == 0 {
		t.External = nil
	} else if len(t.External) == 0 {
		return fmt.Errorf("tensor %.80q: its data are said to be external, and not where", t.Name)
	}
	width := t.Type.width()
	if external != 0 || width == 0 { // strings and elements of half a byte
		return nil
	}
	if err := each("tensor", b, func(f field) error { return d.data(f, t) }); err != nil {
		return fmt.Errorf("%.80q: %w", t.Name, err)
	}
	if int64(len(t.Raw)) != length*width {
		return fmt.Errorf("tensor %.80q: %d bytes of data, its shape %.80s of %v needs %d", t.Name, len(t.Raw), fmt.Sprint(t.Dims), t.Type, length*width)
	}
	return nil
}

// data appends a field of elements to the tensor's.
func (d *decoder) data(f field, t *Tensor) error {
	var b []byte
	var err error
	switch f.number {
	case 9:
		b, err = f.bytes, f.want(protowire.BytesType)
	case 4: // float_data
		if t.Type != Float && t.Type != Complex64 {
			return fmt.Errorf("float_data in a tensor of %v", t.Type)
		}
		b, err = f.fixed(protowire.Fixed32Type)
	case 10: // double_data
		if t.Type != Double && t.Type != Complex128 {
			return fmt.Errorf("double_data in a tensor of %v", t.Type)
		}
		b, err = f.fixed(protowire.Fixed64Type)
	case 5, 7, 11: // int32_data, int64_data, uint64_data
		width := t.Type.width()
		switch t.Type {
		case Float, Double, Complex64, Complex128:
			return fmt.Errorf("integers in a tensor of %v", t.Type)
		}
		if err := grow(d, &t.Raw, f.numbers()*int(width)); err != nil {
			return err
		}
		return f.varints(func(v uint64) error {
			for i := range width {
				t.Raw = append(t.Raw, byte(v>>(8*i)))
			}
			return nil
		})
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if t.Raw == nil {
		t.Raw = b[:len(b):len(b)] // so that appending copies
		return nil
	}
	if err := grow(d, &t.Raw, len(b)); err != nil {
		return err
	}
	t.Raw = append(t.Raw, b...)
	return nil
}

// Floats appends the tensor's elements as float32 to dst: floats of any width,
// and whole numbers. Doubles round to the nearest.
func (t *Tensor) Floats(dst []float32) ([]float32, error) {
	if kind, ok := map[DataType]dtype.Type{Float: dtype.F32, Double: dtype.F64, Float16: dtype.F16, BFloat16: dtype.BF16}[t.Type]; ok {
		n := len(t.Raw) / kind.Size()
		dst = slices.Grow(dst, n)
		dst = dst[:len(dst)+n]
		kind.Decode(dst[len(dst)-n:], t.Raw)
		return dst, nil
	}
	ints, err := t.Ints()
	if err != nil {
		return nil, fmt.Errorf("tensor %.80q of %v has no floats", t.Name, t.Type)
	}
	for _, v := range ints {
		dst = append(dst, float32(v))
	}
	return dst, nil
}

// Ints are the elements of a tensor of whole numbers or bools.
func (t *Tensor) Ints() ([]int64, error) {
	width := int(t.Type.width())
	switch t.Type {
	case Uint8, Int8, Uint16, Int16, Int32, Int64, Bool, Uint32, Uint64:
	default:
		return nil, fmt.Errorf("tensor %.80q of %v has no whole numbers", t.Name, t.Type)
	}
	ints := make([]int64, 0, len(t.Raw)/width)
	for b := t.Raw; len(b) >= width; b = b[width:] {
		var v int64
		switch t.Type {
		case Uint8, Bool:
			v = int64(b[0])
		case Int8:
			v = int64(int8(b[0]))
		case Uint16:
			v = int64(binary.LittleEndian.Uint16(b))
		case Int16:
			v = int64(int16(binary.LittleEndian.Uint16(b)))
		case Int32:
			v = int64(int32(binary.LittleEndian.Uint32(b)))
		case Uint32:
			v = int64(binary.LittleEndian.Uint32(b))
		default:
			v = int64(binary.LittleEndian.Uint64(b))
		}
		ints = append(ints, v)
	}
	return ints, nil
}
