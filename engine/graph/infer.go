package graph

import (
	"fmt"
	"math"
)

// maxDim bounds every extent of an image, maxFeatures a vector and maxFilter the
// elements of one filter, so that no file can ask for a shape that overflows: a
// product of four extents, and a layer's multiply-accumulates, fit an int64.
const (
	maxDim      = 1 << 15
	maxFeatures = 1 << 30
	maxFilter   = math.MaxInt32
)

// Infer returns the output shape of n for inputs of the given shapes, and is
// the one place that says what a well-formed node is.
func Infer(n Node, in []Shape) (Shape, error) {
	want, more := 1, ""
	switch n.Op {
	case OpInput:
		want = 0
	case OpAdd, OpMul:
		want = 2
	case OpConcat:
		want, more = 2, " or more"
	}
	if len(in) < want || len(in) > want && more == "" {
		return Shape{}, fmt.Errorf("has %d inputs, needs %d%s", len(in), want, more)
	}
	if err := n.checkAttributes(); err != nil {
		return Shape{}, err
	}
	switch n.Op {
	case OpInput:
		s := *n.Input
		if s.H < 1 || s.W < 1 || s.C < 1 || s.H > maxDim || s.W > maxDim || s.C > maxDim {
			return Shape{}, fmt.Errorf("input shape %v: each extent must be 1..%d", s, maxDim)
		}
		return s, nil
	case OpConv2D:
		return n.Conv2D.infer(in[0])
	case OpLinear:
		return n.Linear.infer(in[0])
	case OpBatchNorm:
		if e, m := n.BatchNorm.Eps, n.BatchNorm.Momentum; !(e > 0 && e <= math.MaxFloat64 && m >= 0 && m <= 1) {
			return Shape{}, fmt.Errorf("eps %g must be > 0 and momentum %g in 0..1", e, m)
		}
		return in[0], nil
	case OpReLU, OpReLU6, OpSigmoid, OpHardSwish, OpSiLU, OpSoftmax, OpScale:
		return in[0], nil
	case OpHardSigmoid:
		if a, b := n.HardSigmoid.Alpha, n.HardSigmoid.Beta; !(a > 0 && a <= math.MaxFloat32 && math.Abs(b) <= math.MaxFloat32) {
			return Shape{}, fmt.Errorf("alpha %g must be > 0 and beta %g finite", a, b)
		}
		return in[0], nil
	case OpClip:
		if c := n.Clip; !(-math.MaxFloat32 <= c.Low && c.Low <= c.High && c.High <= math.MaxFloat32) {
			return Shape{}, fmt.Errorf("bounds %g and %g must ascend within float32", c.Low, c.High)
		}
		return in[0], nil
	case OpAdd:
		if in[0] != in[1] {
			return Shape{}, fmt.Errorf("adds shapes %v (%s) and %v (%s), which must be equal", in[0], n.Inputs[0], in[1], n.Inputs[1])
		}
		return in[0], nil
	case OpMul:
		a, b := in[0], in[1]
		switch {
		case a == b || b == Shape{1, 1, a.C}:
			return a, nil
		case a == Shape{1, 1, b.C}:
			return b, nil
		}
		return Shape{}, fmt.Errorf("multiplies shapes %v (%s) and %v (%s), which must be equal, or one of them 1×1 of as many channels", a, n.Inputs[0], b, n.Inputs[1])
	case OpConcat:
		return concat(n, in)
	case OpMaxPool, OpAvgPool:
		return n.Pool.infer(in[0])
	case OpGlobalAvgPool:
		return Shape{1, 1, in[0].C}, nil
	case OpFlatten:
		if in[0].Size() > maxFeatures {
			return Shape{}, fmt.Errorf("flattening %v gives more than %d features", in[0], maxFeatures)
		}
		return Shape{1, 1, in[0].Size()}, nil
	case OpSoftmaxLoss:
		if in[0].H != 1 || in[0].W != 1 {
			return Shape{}, fmt.Errorf("input %v is not a vector of logits; pool or flatten it first", in[0])
		}
		if s := n.SoftmaxLoss.LabelSmoothing; !(s >= 0 && s < 1) {
			return Shape{}, fmt.Errorf("label smoothing %g must be in [0, 1)", s)
		}
		return Shape{1, 1, 1}, nil
	}
	return Shape{}, fmt.Errorf("unknown operation %q", n.Op)
}

// checkAttributes reports a missing or a stray attribute.
func (n Node) checkAttributes() error {
	for _, a := range []struct {
		name string
		have bool
		need bool
	}{
		{"input", n.Input != nil, n.Op == OpInput},
		{"conv2d", n.Conv2D != nil, n.Op == OpConv2D},
		{"linear", n.Linear != nil, n.Op == OpLinear},
		{"batch_norm", n.BatchNorm != nil, n.Op == OpBatchNorm},
		{"hard_sigmoid", n.HardSigmoid != nil, n.Op == OpHardSigmoid},
		{"clip", n.Clip != nil, n.Op == OpClip},
		{"pool", n.Pool != nil, n.Op == OpMaxPool || n.Op == OpAvgPool},
		{"softmax_loss", n.SoftmaxLoss != nil, n.Op == OpSoftmaxLoss},
	} {
		if a.need && !a.have {
			return fmt.Errorf("attribute %q is missing", a.name)
		}
		if a.have && !a.need {
			return fmt.Errorf("attribute %q does not belong to this operation", a.name)
		}
	}
	return nil
}

// concat sums the channels of images of one height and width.
func concat(n Node, in []Shape) (Shape, error) {
	out, most := in[0], maxDim
	if out.H == 1 && out.W == 1 {
		most = maxFeatures
	}
	for j, s := range in[1:] {
		if s.H != out.H || s.W != out.W {
			return Shape{}, fmt.Errorf("concatenates shapes %v (%s) and %v (%s), whose heights and widths must be equal", in[0], n.Inputs[0], s, n.Inputs[j+1])
		}
		if out.C += s.C; out.C > most {
			return Shape{}, fmt.Errorf("concatenates to more than %d channels", most)
		}
	}
	return out, nil
}

func (c Conv2D) infer(in Shape) (Shape, error) {
	if c.Out < 1 || c.Out > maxDim {
		return Shape{}, fmt.Errorf("%d output channels, must be 1..%d", c.Out, maxDim)
	}
	if c.Groups < 1 || in.C%c.Groups != 0 || c.Out%c.Groups != 0 {
		return Shape{}, fmt.Errorf("%d groups do not divide %d input and %d output channels", c.Groups, in.C, c.Out)
	}
	h, w, err := window(in, c.Kernel, c.Stride, c.Pad, c.Dilation)
	if err != nil {
		return Shape{}, err
	}
	if rest := c.Out * c.Kernel[0] * c.Kernel[1]; in.C/c.Groups > maxFilter/rest {
		return Shape{}, fmt.Errorf("a filter of %d×%d×%d×%d has more than %d elements", c.Out, c.Kernel[0], c.Kernel[1], in.C/c.Groups, maxFilter)
	}
	return Shape{h, w, c.Out}, nil
}

func (l Linear) infer(in Shape) (Shape, error) {
	if in.H != 1 || in.W != 1 {
		return Shape{}, fmt.Errorf("input %v is not a vector; pool or flatten it first", in)
	}
	if l.Out < 1 || l.Out > maxDim {
		return Shape{}, fmt.Errorf("%d outputs, must be 1..%d", l.Out, maxDim)
	}
	if in.C > maxFilter/l.Out {
		return Shape{}, fmt.Errorf("a filter of %d×%d has more than %d elements", l.Out, in.C, maxFilter)
	}
	return Shape{1, 1, l.Out}, nil
}

func (p Pool) infer(in Shape) (Shape, error) {
	h, w, err := window(in, p.Kernel, p.Stride, p.Pad, [2]int{1, 1})
	if err != nil {
		return Shape{}, err
	}
	for d := range 2 {
		if p.Pad[d] >= p.Kernel[d] || p.Pad[d+2] >= p.Kernel[d] {
			return Shape{}, fmt.Errorf("padding %v leaves windows of %v with nothing but padding", p.Pad, p.Kernel)
		}
	}
	return Shape{h, w, in.C}, nil
}

// window is the output height and width of a kernel sliding over in.
func window(in Shape, kernel, stride [2]int, pad [4]int, dilation [2]int) (h, w int, err error) {
	var out [2]int
	for d, extent := range [2]int{in.H, in.W} {
		for _, v := range [...]struct {
			what          string
			value, lowest int
		}{{"kernel", kernel[d], 1}, {"stride", stride[d], 1}, {"dilation", dilation[d], 1}, {"padding", pad[d], 0}, {"padding", pad[d+2], 0}} {
			if v.value < v.lowest || v.value > maxDim {
				return 0, 0, fmt.Errorf("%s %d must be %d..%d", v.what, v.value, v.lowest, maxDim)
			}
		}
		span := dilation[d]*(kernel[d]-1) + 1
		room := extent + pad[d] + pad[d+2] - span
		if room < 0 {
			return 0, 0, fmt.Errorf("kernel %v with dilation %v does not fit the padded input %v, padding %v", kernel, dilation, in, pad)
		}
		out[d] = room/stride[d] + 1
		if out[d] > maxDim {
			return 0, 0, fmt.Errorf("output extent %d is above %d", out[d], maxDim)
		}
	}
	return out[0], out[1], nil
}
