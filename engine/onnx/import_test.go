package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"mdp/engine/graph"
)

func readTensor(t testing.TB, path string) *Tensor {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	v, err := decodeTensor(b)
	require.NoError(t, err)
	return v
}

// decodeTensor reads a file that holds one tensor, as ONNX's tests do.
func decodeTensor(b []byte) (*Tensor, error) {
	d := &decoder{left: len(b) + slack}
	t := new(Tensor)
	return t, d.tensor(b, t)
}

// Small models in the forms that exporters emit, against ONNX Runtime; see testdata/cases.py.
func TestCases(t *testing.T) {
	paths, err := filepath.Glob("testdata/cases/*.onnx")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		stem := strings.TrimSuffix(path, ".onnx")
		t.Run(filepath.Base(stem), func(t *testing.T) {
			n, err := Import(path, Options{})
			require.NoError(t, err)
			in, want := readTensor(t, stem+".in.pb"), readTensor(t, stem+".out.pb")
			values, err := want.Floats(nil)
			require.NoError(t, err)
			have, dims := infer(t, n, in, int(in.Dims[0]))
			require.Len(t, dims, len(want.Dims))
			for i, d := range want.Dims {
				assert.EqualValues(t, d, dims[i])
			}
			tol := 1e-5
			if strings.HasSuffix(stem, "halves") { // ONNX Runtime rounds what lies between
				tol = 4. / (1 << 11)
			}
			compare(t, values, have, tol)
			have, _ = infer(t, n, in, max(1, int(in.Dims[0])-1)) // and in two batches, the second not full
			compare(t, values, have, tol)
		})
	}
}

// ops of an imported model, the input left out.
func ops(t *testing.T, path string) []graph.Op {
	n, err := Import(path, Options{})
	require.NoError(t, err)
	var all []graph.Op
	for _, node := range n.Graph.Nodes()[1:] {
		all = append(all, node.Op)
	}
	return all
}

// A signal of one channel is flattened by leaving dimensions of one element away.
func TestFlattenOneChannel(t *testing.T) {
	m := model(node("Flatten", "x", "f"), node("MatMul", "f w", "y"))
	for i, size := range []int64{1, 1, 3} {
		m.Graph.Inputs[0].Dims[i+1].Size = size
	}
	m.Graph.Initializers = []Tensor{*singles([]int64{3, 2}, []float32{1, 2, 3, 4, 5, 6}).Tensor}
	m.Graph.Initializers[0].Name = "w"
	n, err := Convert(m, "m", "", Options{})
	require.NoError(t, err)
	have, _ := infer(t, n, singles([]int64{1, 1, 1, 3}, []float32{1, 10, 100}).Tensor, 1)
	require.Equal(t, []float32{531, 642}, have)
}

// What exporters multiply out becomes one operation again.
func TestPatterns(t *testing.T) {
	const conv, linear = graph.OpConv2D, graph.OpLinear
	for name, want := range map[string][]graph.Op{
		"hard_swish_div":     {conv, graph.OpHardSwish},
		"hard_swish_mul":     {conv, graph.OpHardSwish},
		"hard_swish_sigmoid": {conv, graph.OpHardSwish, graph.OpHardSwish},
		"swish":              {conv, graph.OpSiLU},
		"relu6_attribute":    {conv, graph.OpReLU6, graph.OpClip},
		"excite":             {conv, graph.OpGlobalAvgPool, linear, graph.OpReLU, linear, graph.OpSigmoid, graph.OpMul},
		"excite_old":         {conv, graph.OpGlobalAvgPool, conv, graph.OpReLU, conv, graph.OpHardSigmoid, graph.OpMul},
		"norms":              {conv, graph.OpBatchNorm},
		"head_mean":          {conv, graph.OpGlobalAvgPool, linear, graph.OpSoftmax},
		"channels_last":      {conv, conv, graph.OpReLU, graph.OpFlatten, linear},
		"slice_of_all":       {graph.OpConcat, conv},
		"pads":               {conv, graph.OpReLU, graph.OpMaxPool, conv},
	} {
		assert.Equal(t, want, ops(t, "testdata/cases/"+name+".onnx"), name)
	}
}

// Parameters carry PyTorch's names where the file has them.
func TestNames(t *testing.T) {
	n, err := Import("testdata/cases/view_chain.onnx", Options{})
	require.NoError(t, err)
	for _, name := range []string{"c.weight", "c.bias", "fc.weight", "fc.bias"} {
		assert.Contains(t, n.Weights, name)
	}
	assert.Len(t, n.Weights, 4)
	assert.Equal(t, Port{"x", "BCHW", graph.Shape{}, anyBatch}, n.Input)
}

// model makes one of nodes that read "x", a 4-channel image, and end in "y".
func model(nodes ...Node) *Model {
	return &Model{Opsets: []Opset{{"", 17}}, Graph: Graph{
		Nodes:   nodes,
		Inputs:  []Value{{"x", Float, true, []Dim{{-1, "N"}, {4, ""}, {6, ""}, {5, ""}}}},
		Outputs: []Value{{"y", Float, false, nil}},
	}}
}

func node(op, in, out string, attributes ...Attribute) Node {
	return Node{OpType: op, Inputs: strings.Fields(in), Outputs: strings.Fields(out), Attributes: attributes}
}

// Everything unsupported is named at once, with what could be done; what follows
// from it is not.
func TestUnsupported(t *testing.T) {
	_, err := Convert(model(
		node("LeakyRelu", "x", "a"), node("Relu", "a", "b"), node("Gelu", "b", "c"), node("Relu", "x", "d"),
		node("Resize", "d", "e"), node("Transpose", "d", "f", Attribute{Name: "perm", Type: AttributeInts, Ints: []int64{1, 0, 2, 3}}),
		node("Relu", "d", "g", Attribute{Name: "slope", Type: AttributeFloat}),
		node("Split", "d", "h i"), node("Relu", "i", "j"),
		node("Constant", "", "five", Attribute{Name: "value_ints", Type: AttributeInts, Ints: []int64{-1, 2, 2, 6, 5}}), node("Reshape", "d five", "m"), node("Upsample", "d", "n"),
		node("Constant", "", "one", Attribute{Name: "value_ints", Type: AttributeInts, Ints: []int64{1}}), node("Slice", "d one one one", "k"), node("Sigmoid", "one", "l"),
		node("Sum", "c e f g j k l m n", "y"),
	), "m", "", Options{})
	var u Unsupported
	require.ErrorAs(t, err, &u)
	assert.Equal(t, Unsupported{[]string{
		`the node of "a" (LeakyRelu): this operator is not supported: train with Relu or HardSwish in its place`,
		`the node of "c" (Gelu): this operator is not supported: train with Swish in its place`,
		`the node of "e" (Resize): this operator is not supported: networks here classify images; end in a value before it (--output-name)`,
		`the node of "f" (Transpose): it moves the batch`,
		`the node of "g" (Relu): its attribute "slope" is not known`,
		`the node of "h" (Split): this operator is not supported: where channels part, give each part a convolution of its own`,
		`the node of "m" (Reshape): it reshapes [N, 4, 6, 5] to [N, 2, 2, 6, 5]; only flattening and dimensions of one element are supported: where it begins a channel shuffle, train with a 1×1 convolution in its place`,
		`the node of "n" (Upsample): this operator is not supported: networks here classify images; end in a value before it (--output-name)`,
		`the node of "k" (Slice): it takes [N, 0, 6, 5] of [N, 4, 6, 5]: where channels part, give each part a convolution of its own`,
		`the node of "l" (Sigmoid): it computes a constant: let the exporter fold constants, or onnx-simplifier`,
	}, 3}, u)
	assert.ErrorContains(t, err, "10 of its nodes cannot be imported, on which 3 more depend:\n  the node of")
}

func TestMistakes(t *testing.T) {
	relu := node("Relu", "x", "y")
	for name, c := range map[string]struct {
		change func(m *Model)
		err    string
	}{
		"opset":         {func(m *Model) { m.Opsets[0].Version = 5 }, "opset 5, and opsets 6 to 23"},
		"no opset":      {func(m *Model) { m.Opsets = nil }, "opset 0"},
		"no output":     {func(m *Model) { m.Graph.Outputs = nil }, "no output"},
		"output unmade": {func(m *Model) { m.Graph.Outputs[0].Name = "z" }, "depends on no input"},
		"cycle":         {func(m *Model) { m.Graph.Nodes = []Node{node("Add", "x z", "y"), node("Relu", "y", "z")} }, "cycle or out of order"},
		"made twice":    {func(m *Model) { m.Graph.Nodes = append(m.Graph.Nodes, relu) }, `two nodes make the value "y"`},
		"nothing makes": {func(m *Model) { m.Graph.Nodes[0] = node("Add", "x z", "y") }, `nothing makes its input "z"`},
		"two inputs": {func(m *Model) {
			m.Graph.Nodes[0] = node("Add", "x z", "y")
			m.Graph.Inputs = append(m.Graph.Inputs, Value{Name: "z"})
		}, `2 inputs, and a network has one: "x", "z"`},
		"open size":        {func(m *Model) { m.Graph.Inputs[0].Dims[2] = Dim{-1, "H"} }, "open size"},
		"no shape":         {func(m *Model) { m.Graph.Inputs[0].Shaped = false }, "no shape"},
		"large input":      {func(m *Model) { m.Graph.Inputs[0].Dims[2].Size = 1 << 62 }, "H = "},
		"sparse":           {func(m *Model) { m.Graph.Sparse = 1 }, "sparse"},
		"constant":         {func(m *Model) { m.Graph.Nodes = []Node{node("Shape", "x", "y")} }, "is a constant"},
		"foreign operator": {func(m *Model) { m.Graph.Nodes[0].Domain = "com.who" }, `the operators of "com.who" are not known`},
		"nameless output": {func(m *Model) {
			m.Graph.Nodes = append([]Node{{OpType: "Relu", Inputs: []string{"x"}, Outputs: []string{"", "q"}}}, node("Relu", "q", "y"))
		}, "no name"},
		"string input": {func(m *Model) { m.Graph.Inputs[0].Type = String }, "no tensor of numbers"},
		"filter of 2^63": {func(m *Model) {
			m.Graph.Nodes = []Node{node("Conv", "x w", "y")}
			m.Graph.Initializers = []Tensor{{Name: "w", Type: Float, Dims: []int64{1 << 62, 1, 1, 1}}}
		}, "shape"},
		"long list": {func(m *Model) {
			m.Graph.Nodes = []Node{node("Pad", "x w", "y")}
			m.Graph.Initializers = []Tensor{*wholes([]int64{1 << 12}, make([]int64, 1<<12)).Tensor}
			m.Graph.Initializers[0].Name = "w"
		}, `its input 1, "w", has 4096 numbers`},
		"long attribute": {func(m *Model) {
			m.Graph.Nodes = []Node{node("MaxPool", "x", "y", Attribute{Name: "kernel_shape", Type: AttributeInts, Ints: make([]int64, 1<<12)})}
		}, "its kernel_shape are 4096 numbers"},
		"softmax of one pixel": {func(m *Model) {
			m.Graph.Nodes = []Node{node("GlobalAveragePool", "x", "a"), node("Softmax", "a", "y", Attribute{Name: "axis", Type: AttributeInt, Int: -1})}
		}, "over no channels"},
		"huge uniform": {func(m *Model) {
			m.Graph.Initializers = []Tensor{*wholes([]int64{4}, []int64{16384, 4, 128, 128}).Tensor}
			m.Graph.Initializers[0].Name = "s"
			m.Graph.Nodes = []Node{node("ConstantOfShape", "s", "w"), node("Conv", "x w", "y", Attribute{Name: "pads", Type: AttributeInts, Ints: []int64{100, 100, 100, 100}})}
		}, "more than 2 GB"},
	} {
		t.Run(name, func(t *testing.T) {
			m := model(relu)
			c.change(m)
			assert.ErrorContains(t, cheaply(t, func() error {
				_, err := Convert(m, "m", "", Options{})
				return err
			}), c.err)
		})
	}
}

// What is computed from constants takes some times what they take, however often
// they are doubled.
func TestFoldingMemory(t *testing.T) {
	m := model()
	m.Graph.Initializers = []Tensor{*wholes([]int64{1 << 10}, make([]int64, 1<<10)).Tensor}
	m.Graph.Initializers[0].Name = "w0"
	for i := range 40 {
		from, to := fmt.Sprint("w", i), fmt.Sprint("w", i+1)
		m.Graph.Nodes = append(m.Graph.Nodes, node("Concat", from+" "+from, to, Attribute{Name: "axis", Type: AttributeInt}))
	}
	m.Graph.Nodes = append(m.Graph.Nodes, node("Reshape", "x w40", "y"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Convert(m, "m", "", Options{})
	runtime.ReadMemStats(&after)
	assert.ErrorContains(t, err, "many times the memory")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*slack))
}

// A network as long as no one's is refused, before anything takes time with its square.
func TestLongNetwork(t *testing.T) {
	m := model()
	at := "x"
	for i := range maxNodes + 10 {
		to := fmt.Sprint("v", i)
		m.Graph.Nodes = append(m.Graph.Nodes, node("Relu", at, to))
		at = to
	}
	m.Graph.Outputs[0].Name = at
	_, err := Convert(m, "m", "", Options{})
	assert.ErrorContains(t, err, "1 of its nodes cannot be imported, on which 10 more depend")
	assert.ErrorContains(t, err, "more than 8192 layers")
}

// What came long before a pooling says whether padded zeros may be its maximum, and is
// not looked for again by each.
func TestPoolingChain(t *testing.T) {
	m := model(node("Relu", "x", "v0"))
	const long = maxNodes - 10
	for i := range long {
		padded, to := fmt.Sprint("p", i), fmt.Sprint("v", i+1)
		m.Graph.Nodes = append(m.Graph.Nodes,
			node("Pad", fmt.Sprint("v", i), padded, Attribute{Name: "pads", Type: AttributeInts, Ints: []int64{0, 0, 1, 0, 0, 0, 0, 0}}),
			node("MaxPool", padded, to, Attribute{Name: "kernel_shape", Type: AttributeInts, Ints: []int64{2, 1}}))
	}
	m.Opsets[0].Version = 10
	m.Graph.Outputs[0].Name = fmt.Sprint("v", long)
	n, err := Convert(m, "m", "", Options{})
	require.NoError(t, err)
	assert.Equal(t, long+2, n.Graph.Len())
}

// Data outside the file lie in the model's folder, or nowhere.
func TestEscape(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	require.NoError(t, os.MkdirAll(inside, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), make([]byte, 64), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(inside, "data"), make([]byte, 64), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(inside, "empty"), nil, 0o644))
	require.NoError(t, os.Symlink("../secret", filepath.Join(inside, "link")))
	require.NoError(t, os.Symlink("..", filepath.Join(inside, "folder")))
	require.NoError(t, unix.Mkfifo(filepath.Join(inside, "pipe"), 0o644))
	for _, c := range []struct{ location, offset, length, err string }{
		{"data", "0", "64", ""},
		{"data", "", "", ""},
		{"../secret", "0", "64", "escapes"},
		{filepath.Join(dir, "secret"), "0", "64", "escapes"},
		{"link", "0", "64", "escapes"},
		{"absent", "0", "64", "no such file"},
		{"", "0", "64", "the external data"},
		{".", "0", "64", "is no file"},
		{"pipe", "0", "64", "is no file"},
		{"empty", "0", "64", "is no file, or an empty one"},
		{"folder/secret", "0", "64", "escapes"},
		{"folder/../secret", "0", "64", "escapes"},
		{"data", "1", "64", "do not lie in"},
		{"data", "-1", "64", "do not lie in"},
		{"data", "9223372036854775807", "64", "do not lie in"},
		{"data", "0", "9223372036854775807", "the shape needs 64"},
		{"data", "x", "64", "is not a number"},
	} {
		m := model(node("Conv", "x w", "y"))
		external := []Entry{{"location", c.location}}
		for k, v := range map[string]string{"offset": c.offset, "length": c.length} {
			if v != "" {
				external = append(external, Entry{k, v})
			}
		}
		m.Graph.Initializers = []Tensor{{Name: "w", Type: Float, Dims: []int64{4, 4, 1, 1}, External: external}}
		err := cheaply(t, func() error {
			_, err := Convert(m, "m", inside, Options{})
			return err
		})
		if c.err == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, c.err, c.location)
		}
	}
}

// cheaply calls do, which must not allocate more than a hostile file of a few bytes
// may cost.
func cheaply(t *testing.T, do func() error) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := do()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "%v", err)
	return err
}

// Data outside the file are mapped, however many tensors are parts of them: what
// importing allocates is the weights.
func TestOutsideMemory(t *testing.T) {
	dir := t.TempDir()
	const channels, layers = 256, 16
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), make([]byte, 4*channels*channels*layers), 0o644))
	m := model()
	m.Graph.Inputs[0].Dims[1].Size = channels
	at := "x"
	for i := range layers {
		to := fmt.Sprint("v", i)
		if i == layers-1 {
			to = "y"
		}
		m.Graph.Nodes = append(m.Graph.Nodes, node("Conv", at+" w"+to, to))
		m.Graph.Initializers = append(m.Graph.Initializers, Tensor{Name: "w" + to, Type: Float, Dims: []int64{channels, channels, 1, 1},
			External: []Entry{{"location", "data"}, {"offset", fmt.Sprint(4 * channels * channels * i)}}})
		at = to
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := Convert(m, "m", dir, Options{})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Len(t, n.Weights, layers)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*channels*channels*layers+8*channels*channels+1<<20))
}

// A file that is cut short while it is mapped is an error, not a crash.
func TestCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o644))
	err := mapped(path, func(b []byte, _ func([]byte)) error {
		require.NoError(t, os.Truncate(path, 0))
		_, err := Decode(b[1<<19:])
		return err
	})
	assert.ErrorContains(t, err, "cut short")
	_, err = Import(path, Options{})
	assert.ErrorContains(t, err, "0 graphs")
}

// What is let go of can be read again.
func TestRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	want := []byte(strings.Repeat("0123456789", 10_000))
	require.NoError(t, os.WriteFile(path, want, 0o644))
	require.NoError(t, mapped(path, func(b []byte, release func([]byte)) error {
		for _, part := range [][]byte{b, b[1:], b[5000:5001], b[9000:50_000], nil, make([]byte, 9000)} {
			release(part)
			assert.True(t, string(want) == string(b))
		}
		return nil
	}))
}

// addModels adds models that other people's tools wrote to a corpus.
func addModels(f *testing.F) {
	paths, err := filepath.Glob("testdata/[cg]*/*.onnx")
	require.NoError(f, err)
	peers, err := filepath.Glob(filepath.Join(os.Getenv("MDP_ONNX_BACKEND_DATA"), "*", "*", "model.onnx")) // none without
	require.NoError(f, err)
	for _, path := range append(paths, peers...) {
		b, err := os.ReadFile(path)
		require.NoError(f, err)
		if len(b) < 1<<14 {
			f.Add(b)
		}
	}
}

// Whatever a model says, converting it ends in a network that fits its weights or
// in an error.
func FuzzConvert(f *testing.F) {
	addModels(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		n, err := Convert(m, "fuzzed", dir, Options{Input: graph.Shape{H: 5, W: 6, C: 4}, room: 1 << 24})
		if err != nil {
			assert.NotContains(t, err.Error(), "\x00")
			return
		}
		assert.NoError(t, n.Weights.Check(n.Graph))
		again, err := Convert(m, "fuzzed", dir, Options{Input: graph.Shape{H: 5, W: 6, C: 4}, room: 1 << 24})
		require.NoError(t, err)
		assert.Equal(t, n.Graph, again.Graph, "nothing of the model was changed")
	})
}
