package ptx

import "math"

func f32(x uint64) float32 { return math.Float32frombits(uint32(x)) }
func b32(v float32) uint64 { return uint64(math.Float32bits(v)) }
func f64(x uint64) float64 { return math.Float64frombits(x) }
func b64(v float64) uint64 { return math.Float64bits(v) }
func quiet(v float32) uint64 { // the one NaN that arithmetic makes ("Floating Point Instructions")
	if v != v {
		return 0x7fffffff
	}
	return b32(v)
}

// float32s are the arithmetic of float32, by name without the type. Without .ftz what is
// less than normal stays; what is rounded to nearest is so, exactly.
var float32s = map[string]scalar{
	"add":    func(x, y, _ uint64) uint64 { return quiet(f32(x) + f32(y)) },
	"sub":    func(x, y, _ uint64) uint64 { return quiet(f32(x) - f32(y)) },
	"mul":    func(x, y, _ uint64) uint64 { return quiet(f32(x) * f32(y)) },
	"div.rn": func(x, y, _ uint64) uint64 { return quiet(f32(x) / f32(y)) },
	"rcp.rn": func(x, _, _ uint64) uint64 { return quiet(1 / f32(x)) },
	// A root that is rounded to 53 bits, then to 24, is the root rounded to 24.
	"sqrt.rn": func(x, _, _ uint64) uint64 { return quiet(float32(math.Sqrt(float64(f32(x))))) },
	"fma.rn": func(x, y, z uint64) uint64 {
		sum := float64(f32(x))*float64(f32(y)) + float64(f32(z))
		// Rounding twice is rounding once but for what looks like a tie, or has fewer bits.
		if bits := math.Float64bits(sum); bits&0x1fffffff != 0x10000000 && math.Abs(sum) >= 0x1p-126 {
			return quiet(float32(sum))
		}
		return quiet(float32(sumToOdd(f32(x), f32(y), f32(z))))
	},
	"fma.rm": func(x, y, z uint64) uint64 {
		sum := sumToOdd(f32(x), f32(y), f32(z))
		v := float32(sum)
		if float64(v) > sum {
			v = math.Nextafter32(v, float32(math.Inf(-1)))
		}
		return quiet(v)
	},
	"ex2.approx.ftz": func(x, _, _ uint64) uint64 {
		return quiet(flushed(float32(math.Exp2(float64(flushed(f32(x)))))))
	},
	"neg": func(x, _, _ uint64) uint64 { return x ^ 1<<31 },
	"abs": func(x, _, _ uint64) uint64 { return x &^ (1 << 31) },
	"min": func(x, y, _ uint64) uint64 { return quiet(-larger(-f32(x), -f32(y))) },
	"max": func(x, y, _ uint64) uint64 { return quiet(larger(f32(x), f32(y))) },
}

// float64s are those of float64.
var float64s = map[string]scalar{
	"add":     func(x, y, _ uint64) uint64 { return b64(f64(x) + f64(y)) },
	"sub":     func(x, y, _ uint64) uint64 { return b64(f64(x) - f64(y)) },
	"mul":     func(x, y, _ uint64) uint64 { return b64(f64(x) * f64(y)) },
	"div.rn":  func(x, y, _ uint64) uint64 { return b64(f64(x) / f64(y)) },
	"rcp.rn":  func(x, _, _ uint64) uint64 { return b64(1 / f64(x)) },
	"sqrt.rn": func(x, _, _ uint64) uint64 { return b64(math.Sqrt(f64(x))) },
	"fma.rn":  func(x, y, z uint64) uint64 { return b64(math.FMA(f64(x), f64(y), f64(z))) },
	"abs":     func(x, _, _ uint64) uint64 { return x &^ (1 << 63) },
	"max": func(x, y, _ uint64) uint64 {
		if v := f64(x); v != v {
			return y
		} else if v := f64(y); v != v {
			return x
		}
		return b64(max(f64(x), f64(y)))
	},
}

// larger of two, or the one that is a number; -0 is less than +0 ("max").
func larger(x, y float32) float32 {
	switch {
	case x != x:
		return y
	case y != y:
		return x
	}
	return max(x, y)
}

// flushed is zero of the same sign where v is less than normal (".ftz").
func flushed(v float32) float32 {
	if math.Abs(float64(v)) < 0x1p-126 {
		return float32(math.Copysign(0, float64(v)))
	}
	return v
}

// sumToOdd is x·y + z rounded to 53 bits, to the odd one of the two next to it where it is
// between them: what is then rounded to 24 bits is rounded but once.
func sumToOdd(x, y, z float32) float64 {
	p := float64(x) * float64(y) // exact
	a := float64(z)
	s := p + a
	if s-s != 0 { // infinite, or not a number
		return s
	}
	b := s - p
	lost := (p - (s - b)) + (a - b)
	if lost != 0 && math.Float64bits(s)&1 == 0 {
		if (lost > 0) == (s > 0) {
			return math.Float64frombits(math.Float64bits(s) + 1)
		}
		return math.Float64frombits(math.Float64bits(s) - 1)
	}
	return s
}
