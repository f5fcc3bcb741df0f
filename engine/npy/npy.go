// Package npy reads and writes NumPy's files of one array
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
//
//	"\x93NUMPY", major, minor version
//	2 bytes (from version 2 on 4)  n, the header's length, little endian
//	n bytes                        a Python dictionary: 'descr', 'fortran_order', 'shape'
//	the rest                       the elements
//
// It is our own because the Go packages that there are trust a header's shape and read
// no halves.
package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/atomicfile"
	"mdp/engine/dtype"
)

// Array is numbers in row-major order. Whole says that the file had whole numbers.
type Array struct {
	Dims  []int
	Data  []float32
	Whole bool
}

const magic = "\x93NUMPY"

// types are the element types read, by NumPy's letter and size.
var types = map[string]dtype.Type{
	"f2": dtype.F16, "f4": dtype.F32, "f8": dtype.F64, "i1": dtype.I8, "i2": dtype.I16, "i4": dtype.I32, "i8": dtype.I64, "u1": dtype.U8, "b1": dtype.Bool,
}

// The entries of the header's dictionary, in any order.
var (
	descr   = regexp.MustCompile(`'descr'\s*:\s*'([<>|=])([a-z]\d)'`)
	fortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shape   = regexp.MustCompile(`'shape'\s*:\s*\(([\d\s,]*)\)`)
)

// Read reads a file of numbers of any type, as float32.
func Read(path string) (*Array, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// Decode reads a file's bytes.
func Decode(b []byte) (*Array, error) {
	if len(b) < 12 || string(b[:6]) != magic {
		return nil, fmt.Errorf("not a .npy file: it does not begin with \\x93NUMPY")
	}
	n, start := int64(binary.LittleEndian.Uint16(b[8:])), int64(10)
	switch b[6] {
	case 1:
	case 2, 3:
		n, start = int64(binary.LittleEndian.Uint32(b[8:])), 12
	default:
		return nil, fmt.Errorf("version %d of the .npy format is not known", b[6])
	}
	if n > int64(len(b))-start || n > 1<<16 {
		return nil, fmt.Errorf("a header of %d bytes in a file of %d", n, len(b))
	}
	header, data := string(b[start:start+n]), b[start+n:]
	kind, order, dims := descr.FindStringSubmatch(header), fortran.FindStringSubmatch(header), shape.FindStringSubmatch(header)
	if kind == nil || order == nil || dims == nil {
		return nil, fmt.Errorf("the header %.200q does not tell of an array of numbers", header)
	}
	t, ok := types[kind[2]]
	if !ok {
		return nil, fmt.Errorf("elements of %s%s are not read: save the array as float32", kind[1], kind[2])
	}
	a := &Array{Whole: !t.Float()}
	count, size := 1, t.Size()
	for word := range strings.SplitSeq(dims[1], ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		d, err := strconv.Atoi(word)
		if err != nil || d > 0 && count > math.MaxInt64/16/d || len(a.Dims) == 32 {
			return nil, fmt.Errorf("shape (%.80s) is none that memory holds", strings.Join(strings.Fields(dims[1]), " "))
		}
		a.Dims, count = append(a.Dims, d), count*d
	}
	if count*size != len(data) {
		return nil, fmt.Errorf("shape %v of %s needs %d bytes, the file has %d", a.Dims, t, count*size, len(data))
	}
	if kind[1] == ">" {
		data = slices.Clone(data)
		for element := range slices.Chunk(data, size) {
			slices.Reverse(element)
		}
	}
	a.Data = make([]float32, count)
	if t.Float() {
		t.Decode(a.Data, data)
	} else {
		for i := range a.Data {
			a.Data[i] = whole(t, data[i*size:])
		}
	}
	if order[1] == "True" {
		a.Data = rowMajor(a.Data, a.Dims)
	}
	return a, nil
}

// whole is a whole number as float32.
func whole(t dtype.Type, b []byte) float32 {
	switch t {
	case dtype.U8, dtype.Bool:
		return float32(b[0])
	case dtype.I8:
		return float32(int8(b[0]))
	case dtype.I16:
		return float32(int16(binary.LittleEndian.Uint16(b)))
	case dtype.I32:
		return float32(int32(binary.LittleEndian.Uint32(b)))
	}
	return float32(int64(binary.LittleEndian.Uint64(b)))
}

// rowMajor arranges numbers whose first index runs fastest.
func rowMajor(from []float32, dims []int) []float32 {
	to, index := make([]float32, len(from)), make([]int, len(dims))
	for i := range to {
		at, stride := 0, 1
		for d, v := range index {
			at += v * stride
			stride *= dims[d]
		}
		to[i] = from[at]
		for d := len(dims) - 1; d >= 0; d-- {
			if index[d]++; index[d] < dims[d] {
				break
			}
			index[d] = 0
		}
	}
	return to
}

// Write writes float32, whole or not at all.
func Write(path string, a *Array) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, a) })
}

// Encode writes float32 in version 1 of the format.
func Encode(w io.Writer, a *Array) error {
	words := make([]string, len(a.Dims))
	for i, d := range a.Dims {
		words[i] = strconv.Itoa(d)
	}
	dims := strings.Join(words, ", ")
	if len(words) == 1 {
		dims += ","
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", dims)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n" // the elements begin at a multiple of 64
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	b = append(b, header...)
	for _, v := range a.Data {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	_, err := w.Write(b)
	return err
}
