package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"mdp/engine/graph"
)

// sliding is how a kernel goes over an image: everything by height and width.
type sliding struct {
	kernel, stride, dilation [2]int
	pad                      [4]int // top, left, bottom, right, with what a Pad before it adds
	own                      [4]int // without that, and without what rounding up adds
	grown                    [2]int // what rounding the output's size up adds below and right
}

// window reads the attributes that convolutions and poolings share. kernel is
// the filter's, nil where the node's attribute says it.
func (k *call) window(x value, kernel []int64) (w sliding, err error) {
	spatial := len(x.axes) - 2
	attribute := k.ints("kernel_shape")
	switch {
	case kernel == nil && attribute == nil:
		return w, errors.New("it does not say its kernel_shape")
	case kernel == nil:
		kernel = attribute
	case attribute != nil && !slices.Equal(kernel, attribute):
		return w, fmt.Errorf("its kernel_shape %v is not its filter's %v", attribute, kernel)
	}
	pair := func(name string, v []int64) [2]int {
		p := [2]int{1, 1}
		if v != nil && len(v) != spatial {
			k.fail("its %s has %d numbers, must have %d", name, len(v), spatial)
		} else {
			for i, n := range v {
				if n < 1 || n > math.MaxInt16 {
					k.fail("its %s %v must be 1 to %d", name, v, math.MaxInt16)
					return p
				}
				p[2-spatial+i] = int(n)
			}
		}
		return p
	}
	w.kernel, w.stride, w.dilation = pair("kernel_shape", kernel), pair("strides", k.ints("strides")), pair("dilations", k.ints("dilations"))
	pads := k.ints("pads")
	if pads != nil && len(pads) != 2*spatial {
		k.fail("its pads %v must be %d numbers", pads, 2*spatial)
	}
	auto := k.text("auto_pad", "NOTSET")
	up := k.int("ceil_mode", 0) != 0
	if k.err != nil {
		return w, k.err
	}
	for d := 2 - spatial; d < 2; d++ {
		extent := [2]int{x.shape.H, x.shape.W}[d] + x.pad[d] + x.pad[d+2]
		span := w.dilation[d]*(w.kernel[d]-1) + 1
		switch auto {
		case "NOTSET", "":
			if pads != nil {
				i := d - 2 + spatial
				before, after := pads[i], pads[i+spatial]
				if before < 0 || after < 0 || before > math.MaxInt16 || after > math.MaxInt16 {
					return w, fmt.Errorf("its pads %v must not be negative", pads)
				}
				w.own[d], w.own[d+2] = int(before), int(after)
			}
		case "SAME_UPPER", "SAME_LOWER":
			out := (extent + w.stride[d] - 1) / w.stride[d]
			total := max(0, (out-1)*w.stride[d]+span-extent)
			w.own[d], w.own[d+2] = total/2, total-total/2
			if auto == "SAME_LOWER" {
				w.own[d], w.own[d+2] = w.own[d+2], w.own[d]
			}
			up = false
		case "VALID":
		default:
			return w, fmt.Errorf("its auto_pad %.40q is not known", auto)
		}
		if room := extent + w.own[d] + w.own[d+2] - span; up && room >= 0 && room%w.stride[d] != 0 {
			// one more window, unless it would start in the padding behind the image
			if start := (room/w.stride[d] + 1) * w.stride[d]; start < extent+w.own[d] {
				w.grown[d] = start - room
			}
		}
	}
	for i := range w.pad {
		w.pad[i] = w.own[i] + x.pad[i]
	}
	w.pad[2] += w.grown[0]
	w.pad[3] += w.grown[1]
	return w, nil
}

// poolInput is the image a pooling reads.
func (k *call) poolInput() (value, sliding, error) {
	x, err := k.image(0)
	if err != nil {
		return x, sliding{}, err
	}
	if x.axes != "BCHW" && x.axes != "BCW" {
		return x, sliding{}, fmt.Errorf("it pools %s; images must lie as batch, channels, height, width", k.converter.text(k.dims(x)))
	}
	w, err := k.window(x, nil)
	if err == nil && w.dilation != [2]int{1, 1} {
		err = fmt.Errorf("its window is dilated by %v", w.dilation)
	}
	return x, w, err
}

func maxPool(k *call) (value, error) {
	x, w, err := k.poolInput()
	if err != nil {
		return value{}, err
	}
	k.asked["storage_order"] = true // of the indices
	if x.pad != [4]int{} && !x.positive {
		return value{}, errors.New("zeros padded before it could be its maximum, because what it reads may be negative; pad with its own attribute, or after Relu")
	}
	return k.pool(graph.OpMaxPool, x, w, false)
}

func averagePool(k *call) (value, error) {
	x, w, err := k.poolInput()
	if err != nil {
		return value{}, err
	}
	zeros := [4]int{}
	count := k.int("count_include_pad", 0) != 0
	switch {
	case x.pad != zeros && w.own != zeros && !count:
		return value{}, errors.New("it counts the zeros of the Pad before it, and not those of its own padding")
	case x.pad != zeros:
		count = true
	case w.own == zeros:
		count = false // nothing to count
	}
	if count && w.grown != [2]int{} {
		return value{}, errors.New("it counts padding, but not what ceil_mode adds: use one of the two")
	}
	return k.pool(graph.OpAvgPool, x, w, count)
}

func (k *call) pool(op graph.Op, x value, w sliding, count bool) (value, error) {
	x.pad = [4]int{}
	p := graph.Pool{Kernel: w.kernel, Stride: w.stride, Pad: w.pad, CountPad: count}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: op, Pool: &p}, x)
}

// positive says that what a node makes of in is never below zero.
func positive(n graph.Node, in []value) bool {
	switch n.Op {
	case graph.OpReLU, graph.OpReLU6, graph.OpSigmoid, graph.OpHardSigmoid, graph.OpSoftmax:
		return true
	case graph.OpClip:
		return n.Clip.Low >= 0
	case graph.OpMaxPool, graph.OpAvgPool, graph.OpGlobalAvgPool, graph.OpFlatten:
		return in[0].positive
	}
	return false
}

func globalPool(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	if !strings.HasPrefix(x.axes, "BC") {
		return value{}, fmt.Errorf("it pools %s; images must lie as batch, channels, height, width", x.axes)
	}
	if k.OpType == "GlobalAveragePool" {
		return k.average(x)
	}
	if x.pad != [4]int{} {
		return value{}, errors.New("it reads the output of a Pad: put the padding into a convolution")
	}
	one := [2]int{1, 1}
	return k.pool(graph.OpMaxPool, x, sliding{kernel: [2]int{x.shape.H, x.shape.W}, stride: one}, false)
}

// average is the mean over height and width, which is nothing for a single pixel.
func (k *call) average(x value) (value, error) {
	if x.shape.H == 1 && x.shape.W == 1 && x.pad == [4]int{} {
		return x, nil
	}
	return k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpGlobalAvgPool}, x)
}

// reduceMean over height and width.
func reduceMean(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	axes, err := k.list(1, "axes")
	if err != nil {
		return value{}, err
	}
	keep := k.int("keepdims", 1) != 0
	if len(axes) == 0 && k.int("noop_with_empty_axes", 0) != 0 {
		return x, nil
	}
	k.asked["noop_with_empty_axes"] = true
	over := map[int]bool{}
	for _, a := range axes {
		i, err := axis(a, len(x.axes))
		if err != nil {
			return value{}, err
		}
		over[i] = true
	}
	reduced := func(a rune) bool { return over[strings.IndexRune(x.axes, a)] || k.extent(x, a) == 1 }
	for i, a := range x.axes {
		if over[i] && (a == 'B' || (a == 'C' || a == 'F') && x.shape.C > 1) {
			return value{}, errors.New("it averages over the batch or the channels; only height and width are supported")
		}
	}
	if len(axes) == 0 || !reduced('H') || !reduced('W') {
		return value{}, errors.New("it averages over other dimensions than height and width together")
	}
	y, err := k.average(x)
	if err != nil || keep {
		return y, err
	}
	var left []rune
	for i, a := range y.axes {
		if !over[i] {
			left = append(left, a)
		}
	}
	y.axes = string(left)
	return y, nil
}
