package ptx

import (
	"cmp"
	"strings"
)

// setp compares ("setp").
func (k *Kernel) setp(s statement) (func(*warp, uint32), error) {
	if len(s.op) != 3 || len(s.args) != 3 {
		return nil, errUnknown
	}
	f := comparison(s.op[1], s.op[2])
	if f == nil {
		return nil, errUnknown
	}
	p, err := k.pred(s.args[0])
	x, err1 := k.value(s.args[1])
	y, err2 := k.value(s.args[2])
	return func(w *warp, mask uint32) {
		a, isA := w.peek(x)
		b, isB := w.peek(y)
		var is uint32
		for i := range a {
			if mask>>i&1 != 0 && f(a[i], b[i]) {
				is |= 1 << i
			}
		}
		w.setPred(p, mask, is, isA&isB)
	}, cmp.Or(err, err1, err2)
}

func comparison(name, of string) func(x, y uint64) bool {
	switch of {
	case "s16":
		return compareAs(name, func(x uint64) int16 { return int16(x) })
	case "s32":
		return compareAs(name, func(x uint64) int32 { return int32(x) })
	case "s64":
		return compareAs(name, func(x uint64) int64 { return int64(x) })
	case "b16", "u16", "b32", "u32", "b64", "u64": // with zeros above
		return compareAs(name, func(x uint64) uint64 { return x })
	case "f32":
		return compareFloats(name, f32)
	case "f64":
		return compareFloats(name, f64)
	}
	return nil
}

func compareAs[T cmp.Ordered](name string, as func(uint64) T) func(x, y uint64) bool {
	switch name {
	case "eq":
		return func(x, y uint64) bool { return as(x) == as(y) }
	case "ne":
		return func(x, y uint64) bool { return as(x) != as(y) }
	case "lt":
		return func(x, y uint64) bool { return as(x) < as(y) }
	case "le":
		return func(x, y uint64) bool { return as(x) <= as(y) }
	case "gt":
		return func(x, y uint64) bool { return as(x) > as(y) }
	case "ge":
		return func(x, y uint64) bool { return as(x) >= as(y) }
	}
	return nil
}

// compareFloats: what is not a number compares false, or true where the name ends with u.
func compareFloats[T float32 | float64](name string, as func(uint64) T) func(x, y uint64) bool {
	number := func(x, y uint64) bool { return as(x) == as(x) && as(y) == as(y) }
	switch name {
	case "num":
		return number
	case "nan":
		return func(x, y uint64) bool { return !number(x, y) }
	}
	base, unordered := strings.CutSuffix(name, "u")
	f := compareAs(base, as)
	switch {
	case f == nil:
		return nil
	case unordered:
		return func(x, y uint64) bool { return !number(x, y) || f(x, y) }
	case base == "ne":
		return func(x, y uint64) bool { return number(x, y) && f(x, y) }
	}
	return f
}
