package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"mdp/engine/graph"
)

// newDims are the dimensions that Reshape, Flatten, Squeeze and Unsqueeze make of dims.
func (k *call) newDims(dims []int64) ([]int64, error) {
	switch k.OpType {
	case "Flatten":
		a := k.int("axis", 1)
		if a < 0 {
			a += int64(len(dims))
		}
		if a < 0 || a > int64(len(dims)) {
			return nil, fmt.Errorf("axis %d of %d dimensions", a, len(dims))
		}
		return []int64{product(dims[:a]), product(dims[a:])}, nil
	case "Squeeze":
		axes, err := k.axes(len(dims))
		if err != nil {
			return nil, err
		}
		all := !k.has(1) && k.Attribute("axes") == nil
		var left []int64
		for i, d := range dims {
			switch {
			case all && d == 1:
			case slices.Contains(axes, i):
				if d != 1 {
					return nil, fmt.Errorf("it squeezes dimension %d of %s, which has more than one element", i, k.converter.text(dims))
				}
			default:
				left = append(left, d)
			}
		}
		return left, nil
	case "Unsqueeze":
		added, err := k.list(1, "axes")
		if err != nil {
			return nil, err
		}
		rank := len(dims) + len(added)
		axes, err := k.axes(rank)
		if err != nil {
			return nil, err
		}
		out := make([]int64, 0, rank)
		for i := range rank {
			if slices.Contains(axes, i) {
				out = append(out, 1)
			} else {
				out, dims = append(out, dims[0]), dims[1:]
			}
		}
		return out, nil
	}
	target, err := k.list(1, "shape")
	if err != nil {
		return nil, err
	}
	if len(target) > maxRank {
		return nil, fmt.Errorf("it reshapes to %d dimensions", len(target))
	}
	out, known, guess := slices.Clone(target), int64(1), -1
	for i, d := range target {
		switch {
		case d == -1 && guess < 0:
			guess = i
			continue
		case d == 0 && k.int("allowzero", 0) == 0 && i < len(dims):
			out[i] = dims[i]
		case d < 1 || d > math.MaxInt32 && d%anyBatch != 0:
			return nil, fmt.Errorf("it reshapes to %v", target)
		}
		if out[i] == 0 || known > math.MaxInt64/out[i] {
			return nil, fmt.Errorf("it reshapes %s to %v", k.converter.text(dims), target)
		}
		known *= out[i]
	}
	k.asked["allowzero"] = true
	if n := product(dims); guess >= 0 {
		if n%known != 0 {
			return nil, fmt.Errorf("it reshapes %s to %v", k.converter.text(dims), target)
		}
		out[guess] = n / known
	}
	return out, nil
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// axes are the attribute or second input of that name, as dimensions among rank.
func (k *call) axes(rank int) ([]int, error) {
	given, err := k.list(1, "axes")
	if err != nil {
		return nil, err
	}
	if rank > maxRank {
		return nil, fmt.Errorf("a tensor of %d dimensions", rank)
	}
	var axes []int
	for _, a := range given {
		i, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(axes, i) {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		axes = append(axes, i)
	}
	return axes, nil
}

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

// permutation is Transpose's, the reverse where it does not say.
func (k *call) permutation(rank int) ([]int, error) {
	var perm []int
	given := k.ints("perm")
	if given == nil {
		for i := range rank {
			perm = append(perm, rank-1-i)
		}
		return perm, nil
	}
	for _, p := range given {
		if p < 0 || p >= int64(rank) || slices.Contains(perm, int(p)) {
			return nil, fmt.Errorf("its perm %v is none of %d dimensions", given, rank)
		}
		perm = append(perm, int(p))
	}
	if len(perm) != rank {
		return nil, fmt.Errorf("its perm %v is none of %d dimensions", given, rank)
	}
	return perm, nil
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
	if x.shape.C == 1 && !slices.Contains([]byte(over), 'C') {
		return value{}, errors.New("it is over no channels")
	}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpSoftmax}, x)
}
