package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message: its number, and its payload as the wire type has it.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bytes  []byte // of a length-delimited field
	value  uint64 // of a number
}

// decoder counts what decoding makes beside the file, so that a small file that
// claims a million empty nodes ends with an error instead of a gigabyte.
type decoder struct{ left int }

// slack is what any file may cost on top of its size.
const slack = 4 << 20

func (d *decoder) charge(bytes int) error {
	if d.left -= bytes; d.left < 0 {
		return fmt.Errorf("decoding takes more memory than twice the file, which is of very many small parts")
	}
	return nil
}

// each calls f for every field of the message, and names the field in errors by
// the message's name and f's own words.
func each(message string, b []byte, f func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%s: %w", message, protowire.ParseError(n))
		}
		b = b[n:]
		v := field{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			v.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var u uint32
			u, n = protowire.ConsumeFixed32(b)
			v.value = uint64(u)
		case protowire.Fixed64Type:
			v.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("%s: field %d has wire type %d, which ONNX does not use", message, number, kind)
		}
		if n < 0 {
			return fmt.Errorf("%s: field %d: %w", message, number, protowire.ParseError(n))
		}
		b = b[n:]
		if err := f(v); err != nil {
			return fmt.Errorf("%s: %w", message, err)
		}
	}
	return nil
}

// counts is how often each field occurs in a message; ONNX's numbers are below 32.
type counts [32]int

func count(message string, b []byte) (c counts, err error) {
	err = each(message, b, func(f field) error {
		if int(f.number) < len(c) {
			c[f.number]++
		}
		return nil
	})
	return c, err
}

// room makes a slice for n elements.
func room[T any](d *decoder, n int) ([]T, error) {
	if n == 0 {
		return nil, nil
	}
	var t T
	if err := d.charge(n * int(unsafe.Sizeof(t))); err != nil {
		return nil, err
	}
	return make([]T, 0, n), nil
}

func (f field) want(kind protowire.Type) error {
	if f.kind != kind {
		return fmt.Errorf("field %d has wire type %d, must be %d", f.number, f.kind, kind)
	}
	return nil
}

func (f field) text(d *decoder, to *string) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(f.bytes) {
		return fmt.Errorf("field %d is not UTF-8", f.number)
	}
	return f.octets(d, to)
}

// octets is text that need not be UTF-8.
func (f field) octets(d *decoder, to *string) error {
	*to = string(f.bytes)
	return errors.Join(f.want(protowire.BytesType), d.charge(len(f.bytes)))
}

func (f field) texts(d *decoder, to *[]string) error {
	var s string
	err := f.text(d, &s)
	*to = append(*to, s)
	return err
}

func (f field) int(to *int64) error {
	*to = int64(f.value)
	return f.want(protowire.VarintType)
}

func (f field) float(to *float32) error {
	*to = math.Float32frombits(uint32(f.value))
	return f.want(protowire.Fixed32Type)
}

// message decodes an embedded message into a new element of to.
func message[T any](f field, to *[]T, decode func([]byte, *T) error) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	var zero T
	*to = append(*to, zero)
	return decode(f.bytes, &(*to)[len(*to)-1])
}

// varints calls each for the numbers of a repeated field, packed or not.
func (f field) varints(each func(uint64) error) error {
	if f.kind == protowire.VarintType {
		return each(f.value)
	}
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return fmt.Errorf("field %d: %w", f.number, protowire.ParseError(n))
		}
		b = b[n:]
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

// numbers is how many a repeated field of varints holds, packed or not.
func (f field) numbers() int {
	if f.kind == protowire.VarintType {
		return 1
	}
	n := 0
	for _, b := range f.bytes {
		if b < 0x80 {
			n++
		}
	}
	return n
}

// grow makes room for n more, whose bytes it charges twice: a slice that grows
// may have as much again to spare.
func grow[T any](d *decoder, to *[]T, n int) error {
	var t T
	if err := d.charge(2 * n * int(unsafe.Sizeof(t))); err != nil {
		return err
	}
	*to = slices.Grow(*to, n)
	return nil
}

// ints appends the numbers of a repeated field.
func (f field) ints(d *decoder, to *[]int64) error {
	if err := grow(d, to, f.numbers()); err != nil {
		return err
	}
	return f.varints(func(v uint64) error {
		*to = append(*to, int64(v))
		return nil
	})
}

// fixed are the bytes of a repeated field of numbers of 4 or 8 bytes, packed or not.
func (f field) fixed(kind protowire.Type) ([]byte, error) {
	switch {
	case f.kind == protowire.BytesType:
		return f.bytes, nil
	case f.kind == kind && kind == protowire.Fixed32Type:
		return protowire.AppendFixed32(nil, uint32(f.value)), nil
	case f.kind == kind:
		return protowire.AppendFixed64(nil, f.value), nil
	}
	return nil, f.want(kind)
}
