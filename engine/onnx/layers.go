package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"mdp/engine/graph"
)

// filter is input i, which must hold an image's filter or a matrix, and its name.
func (k *call) filter(i, rank int) (*constant, error) {
	w, err := k.number(i)
	if err != nil {
		return nil, err
	}
	if len(w.Dims) != rank {
		return nil, fmt.Errorf("its filter has %d dimensions, must have %d", len(w.Dims), rank)
	}
	for _, d := range w.Dims {
		if d < 1 || d > math.MaxInt32 {
			return nil, fmt.Errorf("its filter has shape %v", w.Dims)
		}
	}
	return w, nil
}

// weightName is the name of input i where that is an initialiser.
func (k *call) weightName(i int) string {
	if i < len(k.Inputs) && k.values[k.Inputs[i]].constant != nil {
		return k.Inputs[i]
	}
	return ""
}

// bias enters a bias of n elements, of input i times scale.
func (k *call) bias(name string, i, n int, scale float32) error {
	t, err := k.number(i)
	if err != nil {
		return err
	}
	b, err := t.floats(n)
	if count, _ := t.Len(); count == 1 && n > 1 {
		if b, err = t.floats(1); err == nil {
			b = slices.Repeat(b, n)
		}
	}
	if err != nil {
		return err
	}
	data, err := k.weight(name+".bias", n)
	for j := range data {
		data[j] = scale * b[j]
	}
	return err
}

// conv is a convolution over images or, as images of one row, over signals.
func conv(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	flat := x.axes == "BCW"
	if x.axes != "BCHW" && !flat {
		return value{}, fmt.Errorf("it convolves %s; images must lie as batch, channels, height, width", k.converter.text(k.dims(x)))
	}
	w, err := k.filter(1, len(x.axes))
	if err != nil {
		return value{}, err
	}
	out, in := int(w.Dims[0]), int(w.Dims[1])
	groups := k.int("group", 1)
	if groups < 1 || groups > int64(x.shape.C) || int64(in)*groups != int64(x.shape.C) {
		return value{}, fmt.Errorf("its filter %v in %d groups does not fit %d channels", w.Dims, groups, x.shape.C)
	}
	win, err := k.window(x, w.Dims[2:])
	if err != nil {
		return value{}, err
	}
	name := k.name(k.Node, k.weightName(1))
	c := graph.Conv2D{Out: out, Kernel: win.kernel, Stride: win.stride, Pad: win.pad, Dilation: win.dilation, Groups: int(groups), Bias: k.has(2)}
	x.pad = [4]int{}
	y, err := k.emit(graph.Node{Name: name, Op: graph.OpConv2D, Conv2D: &c}, x)
	if err != nil {
		return value{}, err
	}
	if err := k.krsc(name, w, [4]int{out, in, win.kernel[0], win.kernel[1]}); err != nil {
		return value{}, err
	}
	if c.Bias {
		err = k.bias(name, 2, out, 1)
	}
	return y, err
}

// krsc enters a filter w[k,c,r,s], whose extents are d, as w[k,r,s,c].
func (k *call) krsc(name string, w *constant, d [4]int) error {
	n := d[0] * d[1] * d[2] * d[3]
	to, err := k.weight(name+".weight", d[0], d[2], d[3], d[1])
	if err != nil {
		return err
	}
	defer k.release(w.Raw)
	in, pixels := d[1], d[2]*d[3]
	if pixels == 1 || in == 1 {
		return w.part(to, 0)
	}
	filter := make([]float32, in*pixels) // one at a time
	for o := 0; o < n; o += len(filter) {
		if err := w.part(filter, o); err != nil {
			return err
		}
		for c := range in {
			for p, v := range filter[c*pixels : (c+1)*pixels] {
				to[o+p*in+c] = v
			}
		}
	}
	return nil
}

// gemm is a linear layer: α·x·B + β·C, with B transposed or not.
func gemm(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	if k.int("transA", 0) != 0 {
		return value{}, errors.New("it transposes the image's features with the batch (transA)")
	}
	w, err := k.filter(1, 2)
	if err != nil {
		return value{}, err
	}
	alpha, beta, transposed := k.float("alpha", 1), k.float("beta", 1), k.int("transB", 0) != 0
	k.asked["broadcast"] = true // of opset 6
	if !k.has(2) {
		beta = 0
	}
	return k.linear(x, w, transposed, alpha, beta)
}

func matMul(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	w, err := k.filter(1, 2)
	if err != nil {
		return value{}, err
	}
	return k.linear(x, w, false, 1, 0)
}

// linear multiplies the last dimension of x by w, which is in×out unless
// transposed, and adds β times input 2. Over images whose channels stand last it
// is a convolution by 1×1.
func (k *call) linear(x value, w *constant, transposed bool, alpha, beta float32) (value, error) {
	in, out := int(w.Dims[0]), int(w.Dims[1])
	if transposed {
		in, out = out, in
	}
	last := x.axes[len(x.axes)-1]
	if x.shape.C == 1 && last != 'C' && int64(x.shape.Size()) == k.extent(x, rune(last)) { // a row or column of one channel is its features
		axes, err := x.axes, error(nil)
		if x, err = k.emit(graph.Node{Name: k.name(k.Node, ""), Op: graph.OpFlatten}, x); err != nil {
			return value{}, err
		}
		x.axes, last = strings.ReplaceAll(axes[:len(axes)-1], "C", "1")+"C", 'C'
	}
	if last != 'C' && last != 'F' || x.axes[0] != 'B' {
		return value{}, fmt.Errorf("it multiplies %s along another dimension than the channels: flatten the image first", k.converter.text(k.dims(x)))
	}
	if in != x.shape.C {
		return value{}, fmt.Errorf("its matrix %v does not fit %d features", w.Dims, x.shape.C)
	}
	order := x.order
	x.order = graph.Shape{}
	if last == 'F' {
		x.axes = "BC"
	}
	name := k.name(k.Node, k.weightName(1))
	n := graph.Node{Name: name, Op: graph.OpLinear, Linear: &graph.Linear{Out: out, Bias: beta != 0}}
	shape := []int{out, in}
	if x.shape.H != 1 || x.shape.W != 1 {
		one := [2]int{1, 1}
		n.Op, n.Linear, n.Conv2D = graph.OpConv2D, nil, &graph.Conv2D{Out: out, Kernel: one, Stride: one, Dilation: one, Groups: 1, Bias: beta != 0}
		shape = []int{out, 1, 1, in}
	}
	y, err := k.emit(n, x)
	if err != nil {
		return value{}, err
	}
	to, err := k.weight(name+".weight", shape...)
	if err != nil {
		return value{}, err
	}
	defer k.release(w.Raw)
	if transposed {
		row := make([]float32, in)
		for o := range out {
			if err := w.part(row, o*in); err != nil {
				return value{}, err
			}
			for i := range in {
				to[o*in+i] = alpha * row[theirs(order, i)]
			}
		}
	} else {
		column := make([]float32, out)
		for i := range in {
			if err := w.part(column, theirs(order, i)*out); err != nil {
				return value{}, err
			}
			for o, v := range column {
				to[o*in+i] = alpha * v
			}
		}
	}
	if beta != 0 {
		err = k.bias(name, 2, out, beta)
	}
	return y, err
}

// theirs is where the model has our feature i: an image of the given shape goes
// channel by channel there and pixel by pixel here.
func theirs(order graph.Shape, i int) int {
	if order == (graph.Shape{}) {
		return i
	}
	return i%order.C*(order.H*order.W) + i/order.C
}

// batchNorm is inference's; in training ours takes up the running statistics.
func batchNorm(k *call) (value, error) {
	x, err := k.image(0)
	if err != nil {
		return value{}, err
	}
	if k.int("training_mode", 0) != 0 || k.opset < 7 && k.int("is_test", 0) == 0 {
		return value{}, errors.New("it is in training mode: export the model for inference")
	}
	if k.int("spatial", 1) != 1 {
		return value{}, errors.New("it normalises each pixel by itself (spatial = 0)")
	}
	if len(x.axes) < 2 || x.axes[1] != 'C' && x.axes[1] != 'F' {
		return value{}, fmt.Errorf("it normalises the second dimension of %s, which are not the channels", x.axes)
	}
	k.asked["is_test"] = true
	eps := float64(max(k.float("epsilon", 1e-5), math.SmallestNonzeroFloat32))
	momentum := 1 - float64(k.float("momentum", 0.9)) // the weight of the newest batch, not of those before
	name := k.name(k.Node, k.weightName(1))
	y, err := k.emit(graph.Node{Name: name, Op: graph.OpBatchNorm, BatchNorm: &graph.BatchNorm{Eps: eps, Momentum: round(momentum)}}, x)
	if err != nil {
		return value{}, err
	}
	for i, suffix := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
		t, err := k.number(i + 1)
		if err != nil {
			return value{}, err
		}
		from, err := t.floats(y.shape.C)
		if err != nil {
			return value{}, err
		}
		to, err := k.weight(name+suffix, y.shape.C)
		if err != nil {
			return value{}, err
		}
		for i := range to {
			to[i] = from[theirs(x.order, i)]
		}
	}
	return y, nil
}

// round takes off what 1 − 0.9 in float32 leaves.
func round(v float64) float64 { return math.Round(v*1e6) / 1e6 }
