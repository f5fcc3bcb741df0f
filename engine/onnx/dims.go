package onnx

import (
	"fmt"
	"math"
	"slices"
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
		return k.squeezed(dims)
	case "Unsqueeze":
		return k.unsqueezed(dims)
	}
	return k.target(dims)
}

// squeezed leaves away dimensions of one element: those of the axes, or all.
func (k *call) squeezed(dims []int64) ([]int64, error) {
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
}

// unsqueezed adds dimensions of one element, which the axes are of the result.
func (k *call) unsqueezed(dims []int64) ([]int64, error) {
	added, err := k.list(1, "axes")
	if err != nil {
		return nil, err
	}
	axes, err := k.axes(len(dims) + len(added))
	if err != nil {
		return nil, err
	}
	slices.Sort(axes)
	out := slices.Clone(dims)
	for _, a := range axes {
		out = slices.Insert(out, a, 1)
	}
	return out, nil
}

// target is a Reshape's shape, of which -1 is what is left of dims and 0 as it was.
func (k *call) target(dims []int64) ([]int64, error) {
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
