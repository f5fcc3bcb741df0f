// Package dtype reads the numbers of model files, whatever their type, as float32,
// which is what this program computes in.
package dtype

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/x448/float16"
)

// Type is an element type of a file.
type Type string

// The types. Numbers are little endian.
const (
	F16  Type = "F16"  // IEEE 754 binary16
	BF16 Type = "BF16" // the upper half of a float32
	F32  Type = "F32"
	F64  Type = "F64"
	I8   Type = "I8"
	I16  Type = "I16"
	I32  Type = "I32"
	I64  Type = "I64"
	U8   Type = "U8"
	Bool Type = "BOOL"
)

// Size of an element in bytes, 0 of a type that is not known.
func (t Type) Size() int {
	switch t {
	case I8, U8, Bool:
		return 1
	case F16, BF16, I16:
		return 2
	case F32, I32:
		return 4
	case F64, I64:
		return 8
	}
	return 0
}

// Float says whether the numbers have a fraction, so that Decode and Read take them.
func (t Type) Float() bool { return t == F16 || t == BF16 || t == F32 || t == F64 }

// Decode sets dst[i] to the i-th number in src, a float64 rounded to the nearest.
func (t Type) Decode(dst []float32, src []byte) {
	le := binary.LittleEndian
	switch t {
	case F16:
		for i := range dst {
			dst[i] = float16.Frombits(le.Uint16(src[2*i:])).Float32()
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16)
		}
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	default:
		panic(fmt.Sprintf("dtype: %q is no type of floating point", string(t)))
	}
}

// Read fills dst from r, a chunk at a time. A file that ends early is
// io.ErrUnexpectedEOF.
func (t Type) Read(dst []float32, r io.Reader) error {
	const most = 1 << 14
	size := t.Size()
	chunk := make([]byte, min(len(dst), most)*size)
	for len(dst) > 0 {
		n := min(len(dst), most)
		if _, err := io.ReadFull(r, chunk[:n*size]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		t.Decode(dst[:n], chunk)
		dst = dst[n:]
	}
	return nil
}
