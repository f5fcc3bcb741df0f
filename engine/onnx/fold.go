package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// folded are the operators that are computed where all they read is constant:
// what exporters spell out to make shapes, paddings and filters.
var folded = map[string]func(*call) (*constant, error){
	"Constant": foldConstant, "ConstantOfShape": foldFill, "Shape": foldShape, "Size": foldSize,
	"Identity": foldSame, "Dropout": foldSame, "Cast": foldCast,
	"Reshape": foldReshape, "Flatten": foldReshape, "Squeeze": foldReshape, "Unsqueeze": foldReshape,
	"Gather": foldGather, "Slice": foldSlice, "Concat": foldConcat, "Transpose": foldTranspose, "Expand": foldExpand,
	"Add": foldArithmetic, "Sub": foldArithmetic, "Mul": foldArithmetic, "Div": foldArithmetic,
	"Neg": foldFunction, "Sqrt": foldFunction, "Reciprocal": foldFunction, "Floor": foldFunction, "Ceil": foldFunction,
	"ReduceProd": foldProduct, "Clip": foldClip,
}

func append32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
func append64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

func foldConstant(k *call) (*constant, error) {
	for _, a := range k.Attributes {
		k.asked[a.Name] = true
		switch a.Name {
		case "value":
			if a.Tensor != nil {
				return &constant{Tensor: a.Tensor}, nil
			}
		case "value_float":
			return singles(nil, []float32{a.Float}), nil
		case "value_floats":
			return singles([]int64{int64(len(a.Floats))}, a.Floats), nil
		case "value_int":
			return wholes(nil, []int64{a.Int}), nil
		case "value_ints":
			return wholes([]int64{int64(len(a.Ints))}, a.Ints), nil
		}
	}
	return nil, errors.New("it holds no tensor of numbers")
}

func foldFill(k *call) (*constant, error) {
	dims, err := k.list(0, "")
	if err != nil {
		return nil, err
	}
	t := &Tensor{Type: Float, Raw: make([]byte, 4)}
	if a := k.attribute("value", AttributeTensor); a != nil && a.Tensor != nil {
		copied := *a.Tensor
		t = &copied
	}
	if int64(len(t.Raw)) != t.Type.width() || len(t.Raw) == 0 {
		return nil, errors.New("its value is not one number")
	}
	t.Dims = dims
	_, err = t.Len()
	return &constant{Tensor: t, uniform: true}, err
}

func foldShape(k *call) (*constant, error) {
	dims := k.dims(k.input(0))
	start, end := k.int("start", 0), k.int("end", int64(len(dims)))
	if start < 0 {
		start += int64(len(dims))
	}
	if end < 0 {
		end += int64(len(dims))
	}
	start = min(max(start, 0), int64(len(dims)))
	end = min(max(end, start), int64(len(dims)))
	dims = dims[start:end]
	return wholes([]int64{int64(len(dims))}, dims), nil
}

func foldSize(k *call) (*constant, error) {
	n, err := k.input(0).constant.Len()
	return wholes(nil, []int64{n}), err
}

func foldSame(k *call) (*constant, error) {
	if err := k.inference(); err != nil {
		return nil, err
	}
	return k.number(0)
}

func foldCast(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	k.asked["saturate"] = true
	to := DataType(k.int("to", 0))
	if to == t.Type {
		return t, nil
	}
	one := *t.Tensor // of a uniform constant, the one element is cast
	switch to {
	case Float, Float16, BFloat16, Double: // what is computed with is float32
		v, err := one.Floats(nil)
		if err != nil {
			return nil, err
		}
		return &constant{singles(t.Dims, v).Tensor, t.uniform}, nil
	case Int64, Int32:
		var v []int64
		if v, err = one.Ints(); err != nil {
			floats, err := one.Floats(nil)
			if err != nil {
				return nil, err
			}
			for _, f := range floats {
				v = append(v, int64(f))
			}
		}
		return &constant{wholes(t.Dims, v).Tensor, t.uniform}, nil
	}
	return nil, fmt.Errorf("it casts a constant to %v", to)
}

// foldReshape is also Flatten, Squeeze and Unsqueeze.
func foldReshape(k *call) (*constant, error) {
	t, err := k.number(0)
	if err != nil {
		return nil, err
	}
	dims, err := k.newDims(t.Dims)
	if err != nil {
		return nil, err
	}
	seen := *t.Tensor
	seen.Dims = dims
	before, _ := t.Len()
	after, err := seen.Len()
	if err == nil && before != after {
		err = fmt.Errorf("it reshapes %v to %v", t.Dims, dims)
	}
	return &constant{&seen, t.uniform}, err
}
