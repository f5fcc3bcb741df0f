package graph

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyOp is a network with each operation in it.
func everyOp(t testing.TB) *Graph {
	b := NewBuilder("every-op", Shape{9, 7, 3})
	x := b.Conv2D("conv", "input", Conv2D{Out: 8, Kernel: [2]int{3, 5}, Stride: [2]int{2, 1}, Pad: [4]int{1, 2, 0, 1}, Dilation: [2]int{2, 1}, Bias: true})
	x = b.BatchNorm("bn", x)
	x = b.Op(OpReLU, "relu", x)
	y := b.Conv2D("dw", x, Conv2D{Out: 8, Kernel: [2]int{3, 3}, Pad: [4]int{1, 1, 1, 1}, Groups: 8})
	y = b.Op(OpReLU6, "relu6", y)
	x = b.Op(OpAdd, "add", x, y)
	x = b.Pool(OpMaxPool, "max", x, Pool{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 0, 0}})
	x = b.Pool(OpAvgPool, "avg", x, Pool{Kernel: [2]int{2, 3}, CountPad: true})
	gate := b.Op(OpGlobalAvgPool, "squeeze", x)
	gate = b.Op(OpSiLU, "silu", b.Conv2D("reduce", gate, Conv2D{Out: 2, Kernel: [2]int{1, 1}, Bias: true}))
	gate = b.HardSigmoid("gate", b.Conv2D("expand", gate, Conv2D{Out: 8, Kernel: [2]int{1, 1}, Bias: true}))
	x = b.Op(OpMul, "excite", gate, x)
	x = b.Op(OpConcat, "concat", b.Op(OpHardSwish, "swish", x), x, b.Op(OpSigmoid, "sigmoid", x))
	x = b.Clip("clip", b.Op(OpScale, "scale", x), -1, 2)
	x = b.Conv2D("mix", x, Conv2D{Out: 8, Kernel: [2]int{1, 1}})
	z := b.Op(OpFlatten, "flatten", x)
	z = b.Linear("hidden", z, 8)
	x = b.Op(OpGlobalAvgPool, "gap", x)
	x = b.Op(OpAdd, "join", x, z)
	b.Op(OpSoftmax, "softmax", b.Linear("fc", x, 10))
	g, err := b.Build()
	require.NoError(t, err)
	return g
}

// Shapes by hand, or by PyTorch's formula ⌊(n + pads − dilation·(k−1) − 1)/stride⌋ + 1.
func TestShapes(t *testing.T) {
	g := everyOp(t)
	for name, want := range map[string]Shape{
		"input":   {9, 7, 3},
		"conv":    {3, 6, 8},
		"dw":      {3, 6, 8},
		"add":     {3, 6, 8},
		"max":     {3, 6, 8},
		"avg":     {1, 2, 8},
		"squeeze": {1, 1, 8},
		"gate":    {1, 1, 8},
		"excite":  {1, 2, 8},
		"concat":  {1, 2, 24},
		"clip":    {1, 2, 24},
		"flatten": {1, 1, 16},
		"gap":     {1, 1, 8},
		"fc":      {1, 1, 10},
	} {
		i, ok := g.Index(name)
		require.True(t, ok, name)
		assert.Equal(t, want, g.Shape(i), name)
		assert.Equal(t, name, g.Node(i).Name)
	}
	_, ok := g.Index("nobody")
	assert.False(t, ok)
	relu, _ := g.Index("relu")
	assert.Equal(t, []int{relu - 1}, g.Inputs(relu))
	assert.Equal(t, []int{relu + 1, relu + 3}, g.Consumers(relu))
	assert.Equal(t, "every-op", g.Name())
}

func TestParams(t *testing.T) {
	g := everyOp(t)
	have := map[string][]int{}
	size := int64(0)
	for _, p := range g.Params() {
		have[p.Name] = p.Shape
		if p.Role.Learned() {
			size += int64(p.Size())
		}
	}
	assert.Equal(t, map[string][]int{
		"conv.weight": {8, 3, 5, 3}, "conv.bias": {8},
		"bn.weight": {8}, "bn.bias": {8}, "bn.running_mean": {8}, "bn.running_var": {8},
		"dw.weight":     {8, 3, 3, 1},
		"reduce.weight": {2, 1, 1, 8}, "reduce.bias": {2},
		"expand.weight": {8, 1, 1, 2}, "expand.bias": {8},
		"scale.weight": {24}, "scale.bias": {24},
		"mix.weight":    {8, 1, 1, 24},
		"hidden.weight": {8, 16}, "hidden.bias": {8},
		"fc.weight": {10, 8}, "fc.bias": {10},
	}, have)
	assert.Equal(t, int64(360+8+16+72+(16+2)+(16+8)+48+192+128+8+80+10), size)
	assert.Equal(t, size, g.ParamCount())
	assert.Equal(t, int64(18*360+18*72+16+16+2*192+128+80), g.MACs())
}

func TestLoss(t *testing.T) {
	g := everyOp(t)
	l, err := g.WithLoss(0.1)
	require.NoError(t, err)
	assert.Equal(t, g.Len()+1, l.Len())
	assert.Equal(t, Node{Name: "loss", Op: OpSoftmaxLoss, Inputs: []string{"softmax"}, SoftmaxLoss: &SoftmaxLoss{0.1}}, l.Node(g.Len()))
	assert.Equal(t, Shape{1, 1, 1}, l.Shape(g.Len()))
	assert.Equal(t, g.Params(), l.Params())
	again, err := l.WithLoss(0.5)
	require.NoError(t, err)
	assert.Equal(t, &SoftmaxLoss{0.5}, again.Node(g.Len()).SoftmaxLoss, "in place of the loss that is there")
	assert.Equal(t, l.Len(), again.Len())
	back, err := l.WithoutLoss()
	require.NoError(t, err)
	assert.Equal(t, g, back)
	same, err := g.WithoutLoss()
	require.NoError(t, err)
	assert.Same(t, g, same)
	_, err = g.WithLoss(1)
	assert.ErrorContains(t, err, "label smoothing 1")
}

// Neither the nodes that made a graph nor the copies it gives out reach it.
func TestImmutable(t *testing.T) {
	nodes := everyOp(t).Nodes()
	g, err := New("copy", nodes)
	require.NoError(t, err)
	want := everyOp(t).Nodes()
	for _, n := range [][]Node{nodes, g.Nodes()} {
		n[1].Conv2D.Out = 99
		n[1].Inputs[0] = "elsewhere"
		n[0].Input.C = 99
	}
	assert.Equal(t, want, g.Nodes())
}

// Each mistake is an error that names the node and what is in the way.
func TestMistakes(t *testing.T) {
	image := Node{Name: "image", Op: OpInput, Input: &Shape{4, 4, 6}}
	conv := func(edit func(*Conv2D)) Node {
		c := Conv2D{Out: 4, Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Dilation: [2]int{1, 1}, Groups: 1}
		edit(&c)
		return Node{Name: "x", Op: OpConv2D, Inputs: []string{"image"}, Conv2D: &c}
	}
	pool := func(p Pool) Node { return Node{Name: "x", Op: OpMaxPool, Inputs: []string{"image"}, Pool: &p} }
	norm := func(eps, momentum float64) Node {
		return Node{Name: "x", Op: OpBatchNorm, Inputs: []string{"image"}, BatchNorm: &BatchNorm{eps, momentum}}
	}
	flat := Node{Name: "flat", Op: OpFlatten, Inputs: []string{"image"}}
	for _, c := range []struct {
		want  string
		nodes []Node
	}{
		{"no nodes", nil},
		{"needs a name", []Node{{Op: OpInput, Input: &Shape{1, 1, 1}}}},
		{"name is taken", []Node{image, {Name: "image", Op: OpReLU, Inputs: []string{"image"}}}},
		{"first node", []Node{{Name: "x", Op: OpReLU}}},
		{"first node", []Node{image, {Name: "x", Op: OpInput, Input: &Shape{1, 1, 1}}}},
		{"input shape 0×4×3", []Node{{Name: "x", Op: OpInput, Input: &Shape{0, 4, 3}}}},
		{"input shape 4×4×32769", []Node{{Name: "x", Op: OpInput, Input: &Shape{4, 4, 32769}}}},
		{`"y" is not an earlier node`, []Node{image, {Name: "x", Op: OpReLU, Inputs: []string{"y"}}, {Name: "y", Op: OpReLU, Inputs: []string{"image"}}}},
		{`"x" is not an earlier node`, []Node{image, {Name: "x", Op: OpReLU, Inputs: []string{"x"}}}},
		{"nothing uses its output", []Node{image, {Name: "x", Op: OpReLU, Inputs: []string{"image"}}, {Name: "y", Op: OpReLU, Inputs: []string{"image"}}}},
		{"has 2 inputs, needs 1", []Node{image, {Name: "x", Op: OpReLU, Inputs: []string{"image", "image"}}}},
		{"has 1 inputs, needs 2", []Node{image, {Name: "x", Op: OpAdd, Inputs: []string{"image"}}}},
		{"4×4×6 (image) and 1×1×96 (flat)", []Node{image, flat, {Name: "x", Op: OpAdd, Inputs: []string{"image", "flat"}}}},
		{`unknown operation "tanh"`, []Node{image, {Name: "x", Op: "tanh", Inputs: []string{"image"}}}},
		{`"conv2d" is missing`, []Node{image, {Name: "x", Op: OpConv2D, Inputs: []string{"image"}}}},
		{`"pool" does not belong`, []Node{image, {Name: "x", Op: OpReLU, Inputs: []string{"image"}, Pool: &Pool{}}}},
		{`"hard_sigmoid" is missing`, []Node{image, {Name: "x", Op: OpHardSigmoid, Inputs: []string{"image"}}}},
		{"alpha 0", []Node{image, {Name: "x", Op: OpHardSigmoid, Inputs: []string{"image"}, HardSigmoid: &HardSigmoid{Beta: 0.5}}}},
		{"beta NaN", []Node{image, {Name: "x", Op: OpHardSigmoid, Inputs: []string{"image"}, HardSigmoid: &HardSigmoid{1, math.NaN()}}}},
		{"bounds 2 and 1", []Node{image, {Name: "x", Op: OpClip, Inputs: []string{"image"}, Clip: &Clip{2, 1}}}},
		{"bounds 0 and +Inf", []Node{image, {Name: "x", Op: OpClip, Inputs: []string{"image"}, Clip: &Clip{0, math.Inf(1)}}}},
		{"4×4×6 (image) and 1×1×96 (flat), which must be equal, or", []Node{image, flat, {Name: "x", Op: OpMul, Inputs: []string{"image", "flat"}}}},
		{"has 3 inputs, needs 2", []Node{image, {Name: "x", Op: OpMul, Inputs: []string{"image", "image", "image"}}}},
		{"has 1 inputs, needs 2 or more", []Node{image, {Name: "x", Op: OpConcat, Inputs: []string{"image"}}}},
		{"4×4×6 (image) and 1×1×96 (flat), whose heights", []Node{image, flat, {Name: "x", Op: OpConcat, Inputs: []string{"image", "flat"}}}},
		{"more than 32768 channels", []Node{
			{Name: "image", Op: OpInput, Input: &Shape{1, 2, maxDim}}, {Name: "x", Op: OpConcat, Inputs: []string{"image", "image"}}}},
		{"more than 1073741824 channels", []Node{
			{Name: "image", Op: OpInput, Input: &Shape{1, maxDim, maxDim}}, flat, {Name: "x", Op: OpConcat, Inputs: []string{"flat", "flat"}}}},
		{"0 output channels", []Node{image, conv(func(c *Conv2D) { c.Out = 0 })}},
		{"4 groups do not divide 6", []Node{image, conv(func(c *Conv2D) { c.Groups = 4 })}},
		{"0 groups", []Node{image, conv(func(c *Conv2D) { c.Groups = 0 })}},
		{"stride 0", []Node{image, conv(func(c *Conv2D) { c.Stride[1] = 0 })}},
		{"padding -1", []Node{image, conv(func(c *Conv2D) { c.Pad[3] = -1 })}},
		{"dilation 0", []Node{image, conv(func(c *Conv2D) { c.Dilation[0] = 0 })}},
		{"does not fit the padded input 4×4×6", []Node{image, conv(func(c *Conv2D) { c.Dilation[0] = 2 })}},
		{"output extent 32772", []Node{image, conv(func(c *Conv2D) { c.Kernel[0], c.Pad[0] = 1, maxDim })}},
		{"more than 2147483647 elements", []Node{image, conv(func(c *Conv2D) {
			c.Out, c.Kernel, c.Pad = maxDim, [2]int{maxDim, maxDim}, [4]int{maxDim, maxDim, 0, 0}
		})}},
		{"nothing but padding", []Node{image, pool(Pool{Kernel: [2]int{2, 2}, Stride: [2]int{1, 1}, Pad: [4]int{2, 0, 0, 0}})}},
		{"kernel 0", []Node{image, pool(Pool{Stride: [2]int{1, 1}})}},
		{"not a vector", []Node{image, {Name: "x", Op: OpLinear, Inputs: []string{"image"}, Linear: &Linear{Out: 1}}}},
		{"0 outputs", []Node{image, flat, {Name: "x", Op: OpLinear, Inputs: []string{"flat"}, Linear: &Linear{}}}},
		{"more than 2147483647 elements", []Node{
			{Name: "image", Op: OpInput, Input: &Shape{1 << 10, 1 << 10, 2}}, flat,
			{Name: "x", Op: OpLinear, Inputs: []string{"flat"}, Linear: &Linear{Out: 1 << 10}}}},
		{"more than 1073741824 features", []Node{{Name: "image", Op: OpInput, Input: &Shape{maxDim, maxDim, 2}}, flat}},
		{"eps 0", []Node{image, norm(0, 0.1)}},
		{"eps NaN", []Node{image, norm(math.NaN(), 0.1)}},
		{"eps +Inf", []Node{image, norm(math.Inf(1), 0.1)}},
		{"momentum NaN", []Node{image, norm(1e-5, math.NaN())}},
		{"momentum 1.5", []Node{image, norm(1e-5, 1.5)}},
		{"vector of logits", []Node{image, {Name: "x", Op: OpSoftmaxLoss, Inputs: []string{"image"}, SoftmaxLoss: &SoftmaxLoss{}}}},
		{"label smoothing NaN", []Node{image, flat, {Name: "x", Op: OpSoftmaxLoss, Inputs: []string{"flat"}, SoftmaxLoss: &SoftmaxLoss{math.NaN()}}}},
		{"must be the last node", []Node{image, flat, {Name: "x", Op: OpSoftmaxLoss, Inputs: []string{"flat"}, SoftmaxLoss: &SoftmaxLoss{}}, {Name: "y", Op: OpReLU, Inputs: []string{"x"}}}},
	} {
		_, err := New("wrong", c.nodes)
		if assert.ErrorContains(t, err, c.want) {
			assert.ErrorContains(t, err, `"wrong"`)
		}
	}
}
