package engine

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/x448/float16"
)

// Storage is what elements lie in memory as. Whatever a call computes, it computes in
// float32; what is 16 bits wide is widened when read and rounded when written.
type Storage uint8

// The kinds of memory.
const (
	Float32  Storage = iota
	BFloat16         // the upper half of a float32, rounded to nearest, ties to even
	Float16          // half precision, likewise; beyond 65504 infinite
)

func (s Storage) String() string { return storages[s] }

var storages = [...]string{"fp32", "bf16", "fp16"}

// MarshalText is the name.
func (s Storage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes a name.
func (s *Storage) UnmarshalText(name []byte) error {
	i := slices.Index(storages[:], string(name))
	if i < 0 {
		return fmt.Errorf("there is no storage %q; it is one of %v", name, storages)
	}
	*s = Storage(i)
	return nil
}

// Words is how many float32 take the room of n elements.
func (s Storage) Words(n int) int {
	if s == Float32 {
		return n
	}
	return (n + 1) / 2
}

// Encode writes src to the memory that words are, as elements of this kind.
func (s Storage) Encode(words, src []float32) {
	if s == Float32 {
		copy(words, src)
		return
	}
	round := roundBFloat16
	if s == Float16 {
		round = func(v float32) uint16 { return float16.Fromfloat32(v).Bits() }
	}
	for i, v := range src {
		halves(words)[i] = round(v)
	}
}

// Decode reads dst from the memory that words are.
func (s Storage) Decode(dst, words []float32) {
	if s == Float32 {
		copy(dst, words)
		return
	}
	for i := range dst {
		if bits := halves(words)[i]; s == Float16 {
			dst[i] = float16.Frombits(bits).Float32()
		} else {
			dst[i] = math.Float32frombits(uint32(bits) << 16)
		}
	}
}

// halves are the words' memory, 16 bits each.
func halves(words []float32) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(words))), 2*len(words))
}

func roundBFloat16(v float32) uint16 {
	if v != v {
		return 0x7fff
	}
	b := math.Float32bits(v)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
