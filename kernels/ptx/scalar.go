package ptx

import (
	"math/bits"
	"strings"
)

// scalar makes one value of up to three. What it returns is cut to the register's width.
type scalar = func(x, y, z uint64) uint64

// lookUp finds an instruction, and how many values it takes.
func lookUp(op []string) (f scalar, operands int) {
	name := strings.Join(op[:len(op)-1], ".")
	if op[0] == "cvt" {
		return conversions[strings.Join(op, ".")], len(narrowing(op)) + 1
	}
	switch op[len(op)-1] {
	case "b16", "u16":
		f = integer[uint16](name)
	case "s16":
		f = integer[int16](name)
	case "b32", "u32":
		f = integer[uint32](name)
	case "s32":
		f = integer[int32](name)
	case "b64", "u64":
		f = integer[uint64](name)
	case "s64":
		f = integer[int64](name)
	case "f32":
		f = float32s[name]
	case "f64":
		f = float64s[name]
	}
	switch op[0] {
	case "not", "neg", "abs", "cvta", "rcp", "sqrt", "ex2":
		return f, 1
	case "mad", "fma":
		return f, 3
	}
	return f, 2
}

type integers interface {
	~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64
}

// integer arithmetic ("Integer Arithmetic Instructions", "Logic and Shift Instructions"):
// it wraps; a division by zero is some value; a shift by more bits than there are leaves
// none but the sign.
func integer[T integers](name string) scalar {
	switch name {
	case "add":
		return func(x, y, _ uint64) uint64 { return uint64(T(x) + T(y)) }
	case "sub":
		return func(x, y, _ uint64) uint64 { return uint64(T(x) - T(y)) }
	case "mul.lo":
		return func(x, y, _ uint64) uint64 { return uint64(T(x) * T(y)) }
	case "mul.wide": // of 16 and 32 bits
		return func(x, y, _ uint64) uint64 { return uint64(int64(T(x)) * int64(T(y))) }
	case "mul.hi":
		return highest[T]()
	case "mad.lo":
		return func(x, y, z uint64) uint64 { return uint64(T(x)*T(y) + T(z)) }
	case "div":
		return func(x, y, _ uint64) uint64 {
			if T(y) == 0 {
				return ^uint64(0)
			}
			return uint64(T(x) / T(y))
		}
	case "rem":
		return func(x, y, _ uint64) uint64 {
			if T(y) == 0 {
				return ^uint64(0)
			}
			return uint64(T(x) % T(y))
		}
	case "min":
		return func(x, y, _ uint64) uint64 { return uint64(min(T(x), T(y))) }
	case "max":
		return func(x, y, _ uint64) uint64 { return uint64(max(T(x), T(y))) }
	case "neg":
		return func(x, _, _ uint64) uint64 { return uint64(-T(x)) }
	case "and":
		return func(x, y, _ uint64) uint64 { return x & y }
	case "or":
		return func(x, y, _ uint64) uint64 { return x | y }
	case "xor":
		return func(x, y, _ uint64) uint64 { return x ^ y }
	case "not":
		return func(x, _, _ uint64) uint64 { return ^x }
	case "shl":
		return func(x, y, _ uint64) uint64 { return uint64(T(x) << uint32(y)) }
	case "shr":
		return func(x, y, _ uint64) uint64 { return uint64(T(x) >> uint32(y)) }
	case "cvta.to.global": // generic addresses of device memory are those of global memory
		return func(x, _, _ uint64) uint64 { return x }
	}
	return nil
}

// highest is the upper half of a product, of 32 or 64 bits.
func highest[T integers]() scalar {
	switch any(T(0)).(type) {
	case int32, uint32:
		return func(x, y, _ uint64) uint64 { return uint64(int64(T(x)) * int64(T(y)) >> 32) }
	case uint64:
		return func(x, y, _ uint64) uint64 { high, _ := bits.Mul64(x, y); return high }
	}
	return nil
}
