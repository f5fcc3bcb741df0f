package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"mdp/engine/graph"
)

func unary(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	op := map[string]graph.Op{"Relu": graph.OpReLU, "Sigmoid": graph.OpSigmoid, "HardSwish": graph.OpHardSwish}[k.OpType]
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: op}, x)
}

// swish is x/(1+e^−αx), ours where α is 1.
func swish(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	if a := k.float("alpha", 1); a != 1 {
		return value{}, fmt.Errorf("its alpha is %g; only 1 is supported", a)
	}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpSiLU}, x)
}

func hardSigmoid(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	h := graph.HardSigmoid{Alpha: float64(k.float("alpha", 0.2)), Beta: float64(k.float("beta", 0.5))}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpHardSigmoid, HardSigmoid: &h}, x)
}

// clip has its bounds as attributes before opset 11, as inputs after.
func clip(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	low, err := k.scalar(1, k.float("min", -math.MaxFloat32))
	if err != nil {
		return value{}, err
	}
	high, err := k.scalar(2, k.float("max", math.MaxFloat32))
	if err != nil {
		return value{}, err
	}
	low, high = max(low, -math.MaxFloat32), min(high, math.MaxFloat32)
	low = min(low, high) // where they cross, the upper bound wins
	n := graph.Node{Name: k.name(k.Node, "")}
	switch {
	case low == 0 && high == 6:
		n.Op = graph.OpReLU6
	case low == 0 && high == math.MaxFloat32:
		n.Op = graph.OpReLU
	default:
		n.Op, n.Clip = graph.OpClip, &graph.Clip{Low: float64(low), High: float64(high)}
	}
	return k.emit(n, x)
}

// two are the inputs of an arithmetic node: the first that comes from the image,
// and the other, which may be a constant; swapped says that it stood first.
func (k *call) two() (x, other value, swapped bool, err error) {
	if len(k.in) != 2 {
		return x, other, false, fmt.Errorf("it has %d inputs, must have 2", len(k.in))
	}
	k.asked["broadcast"] = true // of opset 6, where an axis may go with it
	if x, other = k.in[0], k.in[1]; x.constant != nil {
		x, other, swapped = other, x, true
	}
	if other.constant != nil {
		err = k.load(other.constant)
	}
	return x, other, swapped, err
}

func add(k *call) (value, error) {
	x, other, _, err := k.two()
	if err != nil {
		return value{}, err
	}
	if other.constant != nil {
		return k.shift(x, other.constant, 1)
	}
	return k.together(graph.OpAdd, x, other)
}

// sum adds any number of images.
func sum(k *call) (value, error) {
	x, err := k.image(0)
	for i := 1; i < len(k.in) && err == nil; i++ {
		var other value
		if other, err = k.image(i); err == nil {
			x, err = k.together(graph.OpAdd, x, other)
		}
	}
	return x, err
}

func sub(k *call) (value, error) {
	x, other, swapped, err := k.two()
	if err != nil {
		return value{}, err
	}
	if other.constant != nil && !swapped {
		return k.shift(x, other.constant, -1)
	}
	// a − b is a + (−1)·b
	from, minus := x, other
	if swapped {
		minus = x
	}
	if minus, err = k.scale(minus, singles(nil, []float32{-1}), singles(nil, []float32{0})); err != nil {
		return value{}, err
	}
	if swapped {
		return k.shift(minus, other.constant, 1)
	}
	return k.together(graph.OpAdd, from, minus)
}

func mul(k *call) (value, error) {
	x, other, _, err := k.two()
	if err != nil {
		return value{}, err
	}
	if other.constant != nil {
		return k.scale(x, other.constant, singles(nil, []float32{0}))
	}
	return k.together(graph.OpMul, x, other)
}

// div is by a constant.
func div(k *call) (value, error) {
	x, other, swapped, err := k.two()
	if err != nil {
		return value{}, err
	}
	if other.constant == nil || swapped {
		return value{}, errors.New("it divides by what depends on the image; only division by a constant is supported")
	}
	n, err := other.constant.small()
	if err != nil {
		return value{}, err
	}
	v, err := other.constant.floats(n)
	if err != nil {
		return value{}, err
	}
	v = slices.Clone(v)
	for i := range v {
		v[i] = 1 / v[i]
	}
	return k.scale(x, singles(other.constant.Dims, v), singles(nil, []float32{0}))
}

func neg(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	return k.scale(x, singles(nil, []float32{-1}), singles(nil, []float32{0}))
}

// shift is x + sign·t.
func (k *call) shift(x value, t *constant, sign float32) (value, error) {
	if sign < 0 {
		n, err := t.small()
		if err != nil {
			return value{}, err
		}
		v, err := t.floats(n)
		if err != nil {
			return value{}, err
		}
		for i := range v {
			v[i] = -v[i]
		}
		t = singles(t.Dims, v)
	}
	return k.scale(x, singles(nil, []float32{1}), t)
}

// scale is γ·x + β, per channel.
func (k *call) scale(x value, gamma, beta *constant) (value, error) {
	g, err := k.perChannel(x, gamma)
	if err != nil {
		return value{}, err
	}
	b, err := k.perChannel(x, beta)
	if err != nil {
		return value{}, err
	}
	name := k.name(k.Node, "")
	y, err := k.emit(graph.Node{Name: name, Op: graph.OpScale}, x)
	if err != nil {
		return value{}, err
	}
	for suffix, from := range map[string][]float32{".weight": g, ".bias": b} {
		to, err := k.weight(name+suffix, x.shape.C)
		if err != nil {
			return value{}, err
		}
		copy(to, from)
	}
	return y, nil
}

// perChannel are the numbers that a constant, spread over x, has for each channel.
// It must not widen x, nor differ between the samples or the pixels.
func (k *call) perChannel(x value, t *constant) ([]float32, error) {
	dims := k.dims(x)
	wide, err := broadcast(dims, t.Dims)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(wide, dims) {
		return nil, fmt.Errorf("a constant of shape %v makes %s larger", t.Dims, k.converter.text(dims))
	}
	channels, skipped := int64(1), len(dims)-len(t.Dims)
	for i, d := range t.Dims {
		switch a := x.axes[skipped+i]; {
		case d == 1:
		case a == 'C' || a == 'F':
			channels = d
		default:
			return nil, fmt.Errorf("a constant of shape %v differs along dimension %d of %s; only numbers for each channel are supported", t.Dims, skipped+i, k.converter.text(dims))
		}
	}
	v, err := t.floats(int(channels))
	if err != nil {
		return nil, err
	}
	out := make([]float32, x.shape.C)
	for i := range out {
		if channels == 1 {
			out[i] = v[0]
		} else {
			out[i] = v[theirs(x.order, i)]
		}
	}
	return out, nil
}

// together joins two images, the channels of both in the same place.
func (k *call) together(op graph.Op, a, b value) (value, error) {
	if a.constant != nil || b.constant != nil {
		return value{}, errors.New("one of its inputs is a constant")
	}
	if len(b.axes) > len(a.axes) {
		a, b = b, a
	}
	tail := a.axes[len(a.axes)-len(b.axes):]
	if a.order != b.order || tail != b.axes {
		return value{}, fmt.Errorf("it joins %s and %s, which lie differently (%s and %s)", k.converter.text(k.dims(a)), k.converter.text(k.dims(b)), a.axes, b.axes)
	}
	if op == graph.OpMul && b.shape != a.shape && a.shape == (graph.Shape{H: 1, W: 1, C: b.shape.C}) {
		a, b = b, a // the gate second
	}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: op}, a, b)
}
