package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"mdp/engine/graph"
)

func reshaped(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	dims, err := k.newDims(k.dims(x))
	if err != nil {
		return value{}, err
	}
	return k.relabel(k.Node, x, dims)
}

// transpose only changes how the model's tensor lies; the image stays as it is.
func transpose(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	perm, err := k.permutation(len(x.axes))
	if err != nil {
		return value{}, err
	}
	if perm[0] != 0 {
		return value{}, errors.New("it moves the batch")
	}
	axes := make([]byte, len(perm))
	for i, p := range perm {
		axes[i] = x.axes[p]
	}
	x.axes = string(axes)
	return x, nil
}

func same(k *call) (value, error) { return k.image(0) }

// slice takes all there is, as exporters write it where a network cuts off what may
// be too many.
func slice(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	whole := k.dims(x)
	dims, _, apart, err := k.ranges(whole)
	if err != nil {
		return value{}, err
	}
	if !slices.Equal(dims, whole) || slices.ContainsFunc(apart, func(step int64) bool { return step != 1 }) {
		return value{}, fmt.Errorf("it takes %s of %s%s", k.converter.text(dims), k.converter.text(whole), advised(k.OpType))
	}
	return x, nil
}

// dropout does nothing in inference.
func dropout(k *call) (value, error) {
	if err := k.inference(); err != nil {
		return value{}, err
	}
	return k.image(0)
}

// inference checks that a Dropout drops nothing.
func (k *call) inference() error {
	k.asked["ratio"], k.asked["seed"], k.asked["is_test"] = true, true, true
	switch {
	case k.OpType != "Dropout":
		return nil
	case k.opset < 7 && k.int("is_test", 0) == 0:
		return errors.New("it is in training mode: export the model for inference")
	case !k.has(2):
		return nil
	}
	t, err := k.number(2)
	if err != nil {
		return err
	}
	if on, err := t.Ints(); err != nil || len(on) != 1 || on[0] != 0 {
		return errors.New("it is in training mode: export the model for inference")
	}
	return nil
}

// cast between kinds of floats is left out: everything is computed in float32.
func cast(k *call) (value, error) {
	k.asked["saturate"] = true
	switch to := DataType(k.int("to", 0)); to {
	case Float, Float16, BFloat16, Double:
		return k.image(0)
	default:
		return value{}, fmt.Errorf("it casts an image to %v", to)
	}
}

// pad keeps its zeros for the convolution or pooling that follows.
func pad(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	if mode := k.text("mode", "constant"); mode != "constant" {
		return value{}, fmt.Errorf("it pads by %.40q; only zeros are supported", mode)
	}
	with := k.float("value", 0)
	if v, err := k.scalar(2, with); err != nil {
		return value{}, err
	} else if v != 0 {
		return value{}, fmt.Errorf("it pads with %g; only zeros are supported", v)
	}
	pads, err := k.list(1, "pads")
	if err != nil {
		return value{}, err
	}
	axes := make([]int, 0, len(x.axes))
	for i := range x.axes {
		axes = append(axes, i)
	}
	if k.has(3) {
		given, err := k.list(3, "")
		if err != nil {
			return value{}, err
		}
		axes = axes[:0]
		for _, a := range given {
			i, err := axis(a, len(x.axes))
			if err != nil {
				return value{}, err
			}
			axes = append(axes, i)
		}
	}
	if len(pads) != 2*len(axes) {
		return value{}, fmt.Errorf("its pads %v are not two for each of %d dimensions", pads, len(axes))
	}
	for i, p := range pads {
		at, dim := x.axes[axes[i%len(axes)]], i/len(axes)*2
		switch {
		case p == 0:
		case p < 0 || p > math.MaxInt16:
			return value{}, fmt.Errorf("its pads %v cut something off", pads)
		case at == 'H':
			x.pad[dim] += int(p)
		case at == 'W':
			x.pad[dim+1] += int(p)
		default:
			return value{}, errors.New("it pads another dimension than height and width")
		}
	}
	return x, nil
}

// concat puts channels side by side.
func concat(k *call) (value, error) {
	var in []value
	for i := range k.in {
		v, err := k.image(i)
		if err != nil {
			return value{}, err
		}
		in = append(in, v)
	}
	a, err := axis(k.int("axis", 1), len(in[0].axes))
	if err != nil {
		return value{}, err
	}
	if k.opset < 11 {
		k.asked["axis"] = true
	}
	for _, v := range in {
		if v.axes != in[0].axes || v.axes[a] != 'C' {
			return value{}, errors.New("it puts something else than channels side by side")
		}
	}
	if len(in) == 1 {
		return in[0], nil
	}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpConcat}, in...)
}

// softmax over the channels. Before opset 13 it is over all dimensions from axis on.
func softmax(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	otherwise := int64(-1)
	if k.opset < 13 {
		otherwise = 1
	}
	a, err := axis(k.int("axis", otherwise), len(x.axes))
	if err != nil {
		return value{}, err
	}
	over := x.axes[a : a+1]
	if k.opset < 13 {
		over = x.axes[a:]
	}
	for _, letter := range over {
		if letter != 'C' && letter != 'F' && k.extent(x, letter) != 1 || letter == 'B' {
			return value{}, fmt.Errorf("it is over dimension %d of %s, which are not the channels", a, k.converter.text(k.dims(x)))
		}
	}
	if x.shape.C > 1 && !strings.ContainsAny(over, "CF") {
		return value{}, fmt.Errorf("it is over dimension %d of %s, of one element, and over no channels: end in its input (--output-name)", a, k.converter.text(k.dims(x)))
	}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpSoftmax}, x)
}
