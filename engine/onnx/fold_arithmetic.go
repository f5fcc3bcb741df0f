package onnx

import (
	"errors"
	"math"
)

func foldArithmetic(k *call) (*constant, error) {
	a, err := k.number(0)
	if err != nil {
		return nil, err
	}
	b, err := k.number(1)
	if err != nil {
		return nil, err
	}
	dims, err := broadcast(a.Dims, b.Dims)
	if err != nil {
		return nil, err
	}
	uniform := a.uniform && b.uniform
	if !uniform {
		if a, err = spread(a, dims); err != nil {
			return nil, err
		}
		if b, err = spread(b, dims); err != nil {
			return nil, err
		}
	}
	if x, err := a.elements(uniform); err == nil {
		y, err := b.elements(uniform)
		if err != nil {
			return nil, err
		}
		for i := range x {
			if k.OpType == "Div" && y[i] == 0 {
				return nil, errors.New("it divides a whole number by zero")
			}
			x[i] = arithmetic(k.OpType, x[i], y[i])
		}
		return &constant{wholes(dims, x).Tensor, uniform}, nil
	}
	x, err := a.all(uniform)
	if err != nil {
		return nil, err
	}
	y, err := b.all(uniform)
	if err != nil {
		return nil, err
	}
	for i := range x {
		x[i] = arithmetic(k.OpType, x[i], y[i])
	}
	return &constant{singles(dims, x).Tensor, uniform}, nil
}

// elements are the whole numbers, or the one of a uniform constant where that is enough.
func (t *constant) elements(one bool) ([]int64, error) {
	if one {
		return t.Tensor.Ints()
	}
	return t.Ints()
}

// all are the floats, or the one of a uniform constant where that is enough.
func (t *constant) all(one bool) ([]float32, error) {
	if one {
		return t.Tensor.Floats(nil)
	}
	n, err := t.small()
	if err != nil {
		return nil, err
	}
	return t.floats(n)
}

func arithmetic[T int64 | float32](op string, x, y T) T {
	switch op {
	case "Add":
		return x + y
	case "Sub":
		return x - y
	case "Mul":
		return x * y
	}
	return x / y
}

func foldFunction(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	if v, err := t.elements(t.uniform); err == nil {
		if k.OpType != "Neg" {
			return nil, errors.New("it takes a function of whole numbers")
		}
		for i := range v {
			v[i] = -v[i]
		}
		return &constant{wholes(t.Dims, v).Tensor, t.uniform}, nil
	}
	v, err := t.all(t.uniform)
	if err != nil {
		return nil, err
	}
	f := map[string]func(float64) float64{
		"Neg": func(x float64) float64 { return -x }, "Sqrt": math.Sqrt, "Reciprocal": func(x float64) float64 { return 1 / x },
		"Floor": math.Floor, "Ceil": math.Ceil,
	}[k.OpType]
	for i := range v {
		v[i] = float32(f(float64(v[i])))
	}
	return &constant{singles(t.Dims, v).Tensor, t.uniform}, nil
}

// foldProduct multiplies all elements, as the arithmetic of shapes does.
func foldProduct(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	v, err := t.Ints()
	if err != nil {
		return nil, err
	}
	if len(t.Dims) != 1 {
		return nil, errors.New("it multiplies along some axes of a constant")
	}
	k.asked["axes"], k.asked["noop_with_empty_axes"] = true, true
	product := int64(1)
	for _, e := range v {
		product *= e
	}
	if k.int("keepdims", 1) == 1 {
		return wholes([]int64{1}, []int64{product}), nil
	}
	return wholes(nil, []int64{product}), nil
}

// foldClip is part of how exporters compute paddings.
func foldClip(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	bound := func(i int) (*constant, error) {
		if !k.has(i) {
			return nil, nil
		}
		b, err := k.number(i)
		if err == nil && len(b.Raw) == 0 {
			err = errors.New("a bound of no elements")
		}
		return b, err
	}
	low, err := bound(1)
	if err != nil {
		return nil, err
	}
	high, err := bound(2)
	if err != nil {
		return nil, err
	}
	if v, err := t.elements(t.uniform); err == nil {
		v, err = clamped(v, low, high, func(b *constant) ([]int64, error) { return b.elements(true) })
		return &constant{wholes(t.Dims, v).Tensor, t.uniform}, err
	}
	v, err := t.all(t.uniform)
	if err != nil {
		return nil, err
	}
	v, err = clamped(v, low, high, func(b *constant) ([]float32, error) { return b.all(true) })
	return &constant{singles(t.Dims, v).Tensor, t.uniform}, err
}

// clamped keeps every element between the bounds, of which either may be nil.
func clamped[T int64 | float32](v []T, low, high *constant, read func(*constant) ([]T, error)) ([]T, error) {
	for i, b := range []*constant{low, high} {
		if b == nil {
			continue
		}
		bound, err := read(b)
		if err != nil {
			return nil, err
		}
		for j := range v {
			if i == 0 {
				v[j] = max(v[j], bound[0])
			} else {
				v[j] = min(v[j], bound[0])
			}
		}
	}
	return v, nil
}
