package pytorch

import (
	"errors"
	"fmt"
	"io"
	"math"

	"mdp/engine/pickle"
)

// rebuild is what the calls in a pickle would have made of a storage. What they
// would not make a tensor of comes without a type.
func rebuild(v any, depth int) (Tensor, error) {
	o, ok := v.(*pickle.Object)
	if !ok || depth == 0 {
		return Tensor{}, nil
	}
	switch o.Class.String() {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		if len(o.Args) < 4 {
			return Tensor{}, errors.New("a tensor with too little said of it")
		}
		s, ok := o.Args[0].(*storage)
		offset, ok2 := o.Args[1].(int64)
		shape, ok3 := extents(o.Args[2])
		strides, ok4 := extents(o.Args[3])
		if !ok || !ok2 || !ok3 || !ok4 {
			return Tensor{}, errors.New("a tensor that is none")
		}
		if s.kind == "" {
			return Tensor{}, nil
		}
		w := view{s, offset, shape, strides}
		return Tensor{Shape: shape, Type: s.kind, read: w.read}, w.check()
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(o.Args) > 0 {
			return rebuild(o.Args[0], depth-1)
		}
	case "torch._tensor._rebuild_from_type_v2": // (function, class, arguments, state)
		if len(o.Args) > 2 {
			f, ok := o.Args[0].(pickle.Global)
			args, ok2 := o.Args[2].(pickle.Tuple)
			if ok && ok2 {
				return rebuild(&pickle.Object{Class: f, Args: args}, depth-1)
			}
		}
	}
	return Tensor{}, nil
}

// extents are a shape or strides.
func extents(v any) ([]int, bool) {
	t, ok := v.(pickle.Tuple)
	if !ok || len(t) > 16 {
		return nil, false
	}
	s := make([]int, len(t))
	for i, d := range t {
		n, ok := d.(int64)
		if !ok || n < 0 || n > math.MaxInt32 {
			return nil, false
		}
		s[i] = int(n)
	}
	return s, true
}

// view is a part of a storage: element (i, j, …) is number offset + i·strides[0] +
// j·strides[1] + … of it.
type view struct {
	*storage
	offset         int64
	shape, strides []int
}

// check reports a view that reaches over its storage's ends.
func (v view) check() error {
	if len(v.shape) != len(v.strides) || v.offset < 0 {
		return fmt.Errorf("shape %v has strides %v from %d on", v.shape, v.strides, v.offset)
	}
	count := v.bytes / int64(v.kind.Size())
	span, ok := v.span(count)
	if !ok || v.offset > count-span {
		return fmt.Errorf("shape %v with strides %v from %d on reaches over the %d elements of its storage", v.shape, v.strides, v.offset, count)
	}
	return nil
}

// span is how many elements lie from the first to the last of the view, if no
// more than most.
func (v view) span(most int64) (int64, bool) {
	span := int64(1)
	for i, d := range v.shape {
		if d == 0 {
			return 0, true
		}
		if span += int64(d-1) * int64(v.strides[i]); span > most { // below 2^62 + 2^63/2
			return span, false
		}
	}
	return span, span <= most
}

// dense says whether the elements lie one behind the other.
func (v view) dense() bool {
	next := 1
	for i := len(v.shape) - 1; i >= 0; i-- {
		if v.shape[i] != 1 && v.strides[i] != next {
			return false
		}
		next *= v.shape[i]
	}
	return true
}

func (v view) read(dst []float32) error {
	if len(dst) == 0 {
		return nil
	}
	span, _ := v.span(math.MaxInt64)
	width := int64(v.kind.Size())
	part := func() io.Reader { return io.NewSectionReader(v.at, v.offset*width, span*width) }
	switch {
	case v.dense() && v.whole != nil && span*width == v.bytes:
		return v.readWhole(dst)
	case v.dense():
		return v.kind.Read(dst, part())
	}
	all := make([]float32, span)
	if err := v.kind.Read(all, part()); err != nil {
		return err
	}
	gather(dst, all, v.shape, v.strides)
	return nil
}

// readWhole reads all of a storage, to its end, where its checksum is tested.
func (v view) readWhole(dst []float32) error {
	r, err := v.whole.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := v.kind.Read(dst, r); err != nil {
		return err
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		return err
	}
	return nil
}

// gather copies a strided array to dst, row-major, and returns the rest of dst.
func gather(dst, src []float32, shape, strides []int) []float32 {
	if len(shape) == 0 {
		dst[0] = src[0]
		return dst[1:]
	}
	for i := range shape[0] {
		dst = gather(dst, src[i*strides[0]:], shape[1:], strides[1:])
	}
	return dst
}
