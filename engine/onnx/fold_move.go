package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// strides of a tensor, in elements.
func strides(dims []int64) []int64 {
	s := make([]int64, len(dims))
	n := int64(1)
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= dims[i]
	}
	return s
}

// pick makes a tensor of shape dims whose element at index is t's at
// offset + Σ index·stride, and is how all that moves elements is done.
func pick(t *constant, dims, stride []int64, offset int64) (*constant, error) {
	out := &Tensor{Type: t.Type, Dims: dims}
	made := &constant{Tensor: out, uniform: t.uniform}
	if t.uniform {
		out.Raw = t.Raw
		return made, nil
	}
	width := t.Type.width()
	n, err := made.Len()
	if err != nil {
		return nil, err
	}
	if n > maxFolded && n > int64(len(t.Raw))/width {
		return nil, fmt.Errorf("a constant of %v is made one of %v, which is too large to compute with", t.Dims, dims)
	}
	out.Raw = make([]byte, 0, n*width)
	index := make([]int64, len(dims))
	for range n {
		out.Raw = append(out.Raw, t.Raw[offset*width:(offset+1)*width]...)
		for d := len(dims) - 1; d >= 0; d-- {
			offset += stride[d]
			if index[d]++; index[d] < dims[d] {
				break
			}
			offset -= stride[d] * dims[d]
			index[d] = 0
		}
	}
	return made, nil
}

func foldTranspose(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	perm, err := k.permutation(len(t.Dims))
	if err != nil {
		return nil, err
	}
	stride, dims, from := strides(t.Dims), make([]int64, len(perm)), make([]int64, len(perm))
	for i, p := range perm {
		dims[i], from[i] = t.Dims[p], stride[p]
	}
	return pick(t, dims, from, 0)
}

func foldExpand(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	to, err := k.list(1, "")
	if err != nil {
		return nil, err
	}
	dims, err := broadcast(t.Dims, to)
	if err != nil {
		return nil, err
	}
	return spread(t, dims)
}

// broadcast is the shape of two that are computed with together.
func broadcast(a, b []int64) ([]int64, error) {
	dims := make([]int64, max(len(a), len(b)))
	if len(dims) > maxRank {
		return nil, fmt.Errorf("%d dimensions", len(dims))
	}
	at := func(s []int64, i int) int64 {
		if i += len(s) - len(dims); i >= 0 {
			return s[i]
		}
		return 1
	}
	for i := range dims {
		x, y := at(a, i), at(b, i)
		switch {
		case x == y || y == 1:
			dims[i] = x
		case x == 1:
			dims[i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v do not go together", a, b)
		}
	}
	return dims, nil
}

// spread repeats the elements of t along dims.
func spread(t *constant, dims []int64) (*constant, error) {
	own, stride := strides(t.Dims), make([]int64, len(dims))
	for i := range dims {
		if j := i + len(t.Dims) - len(dims); j >= 0 && t.Dims[j] != 1 {
			stride[i] = own[j]
		}
	}
	return pick(t, dims, stride, 0)
}

func foldGather(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	index, err := k.number(1)
	if err != nil {
		return nil, err
	}
	at, err := index.Ints()
	if err != nil {
		return nil, err
	}
	if len(at) > math.MaxUint16 {
		return nil, fmt.Errorf("it gathers %d parts", len(at))
	}
	a, err := axis(k.int("axis", 0), len(t.Dims))
	if err != nil {
		return nil, err
	}
	stride := strides(t.Dims)
	slice := slices.Concat(t.Dims[:a], []int64{1}, t.Dims[a+1:])
	var parts []*constant
	for _, i := range at {
		if i < 0 {
			i += t.Dims[a]
		}
		if i < 0 || i >= t.Dims[a] {
			return nil, fmt.Errorf("index %d of %d", i, t.Dims[a])
		}
		p, err := pick(t, slice, stride, i*stride[a])
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	joined, err := join(parts, a)
	if err != nil {
		return nil, err
	}
	joined.Dims = slices.Concat(t.Dims[:a], index.Dims, t.Dims[a+1:])
	return joined, nil
}

func foldConcat(k *call) (*constant, error) {
	var parts []*constant
	for i := range k.in {
		t, err := k.number(i)
		if err != nil {
			return nil, err
		}
		parts = append(parts, t)
	}
	if len(parts) == 0 {
		return nil, errors.New("it has no inputs")
	}
	a, err := axis(k.int("axis", 0), len(parts[0].Dims))
	if err != nil {
		return nil, err
	}
	return join(parts, a)
}

// join puts constants side by side along an axis.
func join(parts []*constant, a int) (*constant, error) {
	if len(parts) == 0 {
		return nil, errors.New("nothing is left of a constant")
	}
	first := parts[0]
	out := &Tensor{Type: first.Type, Dims: slices.Clone(first.Dims)}
	out.Dims[a] = 0
	blocks := make([][]byte, len(parts))
	total := 0
	for i, p := range parts {
		others := slices.Clone(p.Dims)
		if len(others) == len(out.Dims) {
			others[a] = out.Dims[a]
		}
		if p.Type != out.Type || !slices.Equal(others, out.Dims) {
			return nil, fmt.Errorf("%v of %v and %v of %v do not go side by side", first.Dims, first.Type, p.Dims, p.Type)
		}
		out.Dims[a] += p.Dims[a]
		b, err := p.bytes()
		if err != nil {
			return nil, err
		}
		blocks[i] = b
		if total += len(b); total > 32*maxFolded {
			return nil, errors.New("constants side by side take too much memory")
		}
	}
	rows := int64(1)
	for _, d := range out.Dims[:a] {
		rows *= d
	}
	out.Raw = make([]byte, 0, total)
	for row := range rows {
		for _, b := range blocks {
			size := int64(len(b)) / rows
			out.Raw = append(out.Raw, b[row*size:(row+1)*size]...)
		}
	}
	return &constant{Tensor: out}, nil
}

func foldSlice(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	dims, start, step, err := k.ranges(t.Dims)
	if err != nil {
		return nil, err
	}
	stride, offset := strides(t.Dims), int64(0)
	for a := range dims {
		offset += start[a] * stride[a]
		stride[a] *= step[a]
	}
	return pick(t, dims, stride, offset)
}

// ranges are what Slice takes of each of the dimensions: how many, from which on,
// and how far apart.
func (k *call) ranges(whole []int64) (dims, first, apart []int64, err error) {
	var arguments [4][]int64
	for i, name := range []string{"starts", "ends", "axes", "steps"} {
		if k.opset >= 10 {
			name = ""
		}
		if arguments[i], err = k.list(i+1, name); err != nil {
			return nil, nil, nil, err
		}
	}
	starts, ends, axes, steps := arguments[0], arguments[1], arguments[2], arguments[3]
	dims, first, apart = slices.Clone(whole), make([]int64, len(whole)), slices.Repeat([]int64{1}, len(whole))
	seen := map[int]bool{}
	for i := range starts {
		a, step := i, int64(1)
		if axes != nil && i < len(axes) {
			if a, err = axis(axes[i], len(dims)); err != nil {
				return nil, nil, nil, err
			}
		}
		if i < len(steps) {
			step = steps[i]
		}
		if i >= len(ends) || a >= len(dims) || step == 0 || step < -math.MaxInt32 || step > math.MaxInt32 || seen[a] {
			return nil, nil, nil, errors.New("its starts, ends, axes and steps make no sense")
		}
		seen[a] = true
		d := whole[a]
		low, high := int64(0), d
		if step < 0 {
			low, high = -1, d-1
		}
		within := func(v int64) int64 {
			if v < 0 {
				v += d
			}
			return min(max(v, low), high)
		}
		start, end := within(starts[i]), within(ends[i])
		if step < 0 && ends[i] < -d {
			end = -1
		}
		length := (end - start + step - 1) / step
		if step < 0 {
			length = (start - end - step - 1) / -step
		}
		dims[a], apart[a] = max(0, length), step
		if dims[a] > 0 {
			first[a] = start
		}
	}
	return dims, first, apart, nil
}
