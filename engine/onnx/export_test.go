package onnx

import (
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// Every network of the zoo in every form is a sound model, and one with the shapes
// and numbers that it should have.
func TestExport(t *testing.T) {
	for _, info := range nets.List() {
		g, err := nets.Build(info.Name, nets.Options{Input: graph.Shape{H: 64, W: 64, C: 3}, Width: 0.1, Classes: 3})
		require.NoError(t, err)
		w := graph.InitWeights(g, 1)
		for _, o := range []ExportOptions{{}, {Folded: true, Batch: 4}, {Half: true}, {Folded: true, Half: true, Metadata: []Entry{{"mdp.network", info.Name}}}} {
			m, err := Export(g, w, o)
			require.NoError(t, err, info.Name)
			again, err := Decode(encodeBytes(t, m))
			require.NoError(t, err)
			require.NoError(t, Check(again))
			lacks := again.Graph // what Encode asks for
			lacks.Initializers = slices.Clone(lacks.Initializers)
			for i, have := range m.Graph.Initializers {
				have.write, lacks.Initializers[i].Raw = nil, have.Raw
				m.Graph.Initializers[i] = have
			}
			assert.Equal(t, m.Graph, lacks)
			assert.Equal(t, m.Metadata, again.Metadata)
			assert.Equal(t, int64(17), again.Opset())
			n := Dim{Size: int64(o.Batch)}
			if o.Batch == 0 {
				n = Dim{-1, "N"}
			}
			assert.Equal(t, []Value{{"input", Float, true, []Dim{n, {Size: 3}, {Size: 64}, {Size: 64}}}}, m.Graph.Inputs)
			assert.Equal(t, []Dim{n, {Size: 3}}, m.Graph.Outputs[0].Dims)
			count := map[string]int{}
			for _, n := range m.Graph.Nodes {
				count[n.OpType]++
			}
			if info.Name == "resnet50" {
				assert.Equal(t, 53, count["Conv"])
				assert.Equal(t, o.Folded, count["BatchNormalization"] == 0)
				assert.Equal(t, 1, count["Flatten"])
			}
		}
	}
}

// KRSC becomes KCRS, and a linear layer after an image reads C×H×W.
func TestExportOrder(t *testing.T) {
	b := graph.NewBuilder("order", graph.Shape{H: 1, W: 3, C: 2})
	x := b.Conv2D("conv", "input", graph.Conv2D{Out: 2, Kernel: [2]int{1, 2}})
	b.Linear("fc", b.Op(graph.OpFlatten, "flatten", x), 1)
	g, err := b.Build()
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	copy(w.Data("conv.weight"), []float32{0, 1, 2, 3, 4, 5, 6, 7}) // k, s, c
	copy(w.Data("fc.weight"), []float32{0, 1, 2, 3})               // w, c
	m := written(t, g, w, ExportOptions{})
	for name, want := range map[string]struct {
		dims []int64
		data []float32
	}{
		"conv.weight": {[]int64{2, 2, 1, 2}, []float32{0, 2, 1, 3, 4, 6, 5, 7}},
		"fc.weight":   {[]int64{1, 4}, []float32{0, 2, 1, 3}},
	} {
		for i := range m.Graph.Initializers {
			if i := &m.Graph.Initializers[i]; i.Name == name {
				data, err := i.Floats(nil)
				require.NoError(t, err)
				assert.Equal(t, want.dims, i.Dims)
				assert.Equal(t, want.data, data)
			}
		}
	}
}

// written is a network as it is in the file.
func written(t *testing.T, g *graph.Graph, w graph.Weights, o ExportOptions) *Model {
	m, err := Export(g, w, o)
	require.NoError(t, err)
	m, err = Decode(encodeBytes(t, m))
	require.NoError(t, err)
	return m
}

func TestExportRefuses(t *testing.T) {
	b := graph.NewBuilder("refused", graph.Shape{H: 2, W: 2, C: 2})
	b.Op(graph.OpFlatten, "flatten", b.Conv2D("conv", "input", graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}}))
	g, err := b.Build()
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	_, err = Export(g, w, ExportOptions{})
	assert.ErrorContains(t, err, "the output is a flattened image")
	w.Data("conv.weight")[1] = 70000
	b = graph.NewBuilder("heavy", graph.Shape{H: 2, W: 2, C: 2})
	b.Conv2D("conv", "input", graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}})
	heavy, err := b.Build()
	require.NoError(t, err)
	m, err := Export(heavy, w, ExportOptions{Half: true})
	require.NoError(t, err)
	assert.ErrorContains(t, Encode(io.Discard, m), `conv.weight has a weight of 70000, beyond float16's`)
	_, err = Export(g, graph.Weights{}, ExportOptions{})
	assert.ErrorContains(t, err, "conv.weight is missing")
}

func TestCheck(t *testing.T) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.1})
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	for says, damage := range map[string]func(g *Graph){
		`"conv1" is defined twice`:            func(g *Graph) { g.Nodes[1].Outputs[0] = "conv1" },
		`"" is defined twice or has no name`:  func(g *Graph) { g.Inputs[0].Name = "" },
		`reads "conv1", which no node before`: func(g *Graph) { g.Nodes[0], g.Nodes[1] = g.Nodes[1], g.Nodes[0] },
		`nothing reads initialiser "fc.bias"`: func(g *Graph) {
			last := &g.Nodes[len(g.Nodes)-1]
			last.Inputs = last.Inputs[:2]
		},
		`initialiser "conv1.weight" of shape [9 9]`: func(g *Graph) { g.Initializers[0].Dims = []int64{9, 9} },
		`nothing makes output "y"`:                  func(g *Graph) { g.Outputs[0].Name = "y" },
		`Swish with 2 inputs`:                       func(g *Graph) { g.Nodes[0].OpType = "Swish" },
		`Conv has no attribute stride`:              func(g *Graph) { g.Nodes[0].Attributes[1].Name = "stride" },
	} {
		m := written(t, g, w, ExportOptions{})
		damage(&m.Graph)
		assert.ErrorContains(t, Check(m), says)
	}
}

// Of the parameters, one at a time is held beside the network's own.
func TestExportMemory(t *testing.T) {
	g, err := nets.Build("resnet18", nets.Options{Width: 0.5})
	require.NoError(t, err)
	w := graph.InitWeights(g, 1)
	for _, o := range []ExportOptions{{}, {Folded: true}, {Half: true}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Export(g, w, o)
		require.NoError(t, err)
		require.NoError(t, Encode(io.Discard, m))
		runtime.ReadMemStats(&after)
		assert.Less(t, int64(after.TotalAlloc-before.TotalAlloc), 2*4*int64(g.LargestParam())+1<<20, "%+v", o)
	}
}
