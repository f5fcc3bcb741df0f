package ptx

import (
	"math"
	"sync"
)

// conversions by their whole name ("cvt").
var conversions = map[string]scalar{
	"cvt.s64.s32":     func(x, _, _ uint64) uint64 { return uint64(int64(int32(x))) },
	"cvt.u64.u32":     func(x, _, _ uint64) uint64 { return uint64(uint32(x)) },
	"cvt.u32.u64":     func(x, _, _ uint64) uint64 { return x },
	"cvt.u32.u16":     func(x, _, _ uint64) uint64 { return uint64(uint16(x)) },
	"cvt.u16.u32":     func(x, _, _ uint64) uint64 { return x },
	"cvt.rn.f32.s32":  func(x, _, _ uint64) uint64 { return b32(float32(int32(x))) },
	"cvt.rn.f32.u16":  func(x, _, _ uint64) uint64 { return b32(float32(uint16(x))) },
	"cvt.rn.f32.f64":  func(x, _, _ uint64) uint64 { return quiet(float32(f64(x))) },
	"cvt.rn.f64.s32":  func(x, _, _ uint64) uint64 { return b64(float64(int32(x))) },
	"cvt.f64.f32":     func(x, _, _ uint64) uint64 { return b64(float64(f32(x))) },
	"cvt.f32.f16":     func(x, _, _ uint64) uint64 { return quiet(fromHalf(uint16(x))) },
	"cvt.rzi.s32.f32": func(x, _, _ uint64) uint64 { return uint64(towardsZero(f32(x))) },
	"cvt.sat.f32.f32": func(x, _, _ uint64) uint64 {
		v := f32(x)
		if !(v > 0) { // nor is what is not a number
			return 0
		}
		return b32(min(v, 1))
	},
	"cvt.rna.tf32.f32": func(x, _, _ uint64) uint64 {
		if v := f32(x); v != v {
			return 0x7fffffff &^ 0x1fff
		} else if v-v != 0 {
			return x
		}
		return (x + 0x1000) &^ 0x1fff // away from zero, whatever the sign
	},
	// The first goes to the upper half.
	"cvt.rn.bf16x2.f32": func(x, y, _ uint64) uint64 { return toBrain(f32(x))<<16 | toBrain(f32(y)) },
	"cvt.rn.f16x2.f32":  func(x, y, _ uint64) uint64 { return toHalf(f32(x))<<16 | toHalf(f32(y)) },
}

// narrowing is what a conversion of two values has in its name.
func narrowing(op []string) (all []string) {
	for _, o := range op {
		if o == "bf16x2" || o == "f16x2" {
			all = append(all, o)
		}
	}
	return all
}

func towardsZero(v float32) int32 {
	switch {
	case v != v:
		return 0
	case v >= 1<<31:
		return math.MaxInt32
	case v <= -1<<31:
		return math.MinInt32
	}
	return int32(v)
}

// toBits rounds to so many bits of mantissa behind the first, ties to even, of numbers
// whose least normal one is 2^least, as a multiple of the last bit's value.
func toBits(v float32, mantissa, least int) (multiple float64, exponent int) {
	_, e := math.Frexp(float64(v)) // |v| is in [2^(e-1), 2^e)
	exponent = max(e-1, least) - mantissa
	return math.RoundToEven(math.Ldexp(float64(v), -exponent)), exponent
}

func toBrain(v float32) uint64 {
	if v != v {
		return 0x7fff
	}
	if v-v != 0 || v == 0 {
		return b32(v) >> 16
	}
	multiple, exponent := toBits(v, 7, -126)
	rounded := math.Ldexp(multiple, exponent) // a float32, or 2¹²⁸, which is infinite
	if multiple == 0 {
		rounded = math.Copysign(0, float64(v))
	}
	return b32(float32(rounded)) >> 16
}

func toHalf(v float32) uint64 {
	sign := b32(v) >> 16 & 0x8000
	switch {
	case v != v:
		return 0x7fff
	case v-v != 0:
		return sign | 0x7c00
	case v == 0:
		return sign
	}
	multiple, exponent := toBits(v, 10, -14)
	multiple = math.Abs(multiple) // 2048 at most, where the next exponent begins
	if exponent > 5 || exponent == 5 && multiple == 2048 {
		return sign | 0x7c00
	}
	return sign | uint64(exponent+24)<<10 + uint64(multiple) // what is normal has 1024 and adds one to the exponent
}

func fromHalf(bits uint16) float32 { return halves()[bits] }

// halves are the values of all numbers in half precision.
var halves = sync.OnceValue(func() *[1 << 16]float32 {
	var all [1 << 16]float32
	for bits := range all {
		all[bits] = valueOfHalf(uint16(bits))
	}
	return &all
})

func valueOfHalf(bits uint16) float32 {
	exponent, mantissa := int(bits>>10&31), float64(bits&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(mantissa, -24)
	case 31:
		if v = math.Inf(1); mantissa != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(1024+mantissa, exponent-25)
	}
	if bits>>15 != 0 {
		v = -v
	}
	return float32(v)
}
