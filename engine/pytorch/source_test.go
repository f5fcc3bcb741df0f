package pytorch

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"mdp/engine"
	"mdp/engine/cpu"
	"mdp/engine/graph"
	"mdp/engine/nets"
	"mdp/engine/onnx"
	"mdp/engine/safetensors"
)

var update = flag.Bool("update", false, "write testdata/every.py and its weights again")

// every is a network with every operation and the odd forms of their attributes.
func every(t testing.TB) *graph.Graph {
	b := graph.NewBuilder("every", graph.Shape{H: 13, W: 11, C: 3})
	k := func(n int) [2]int { return [2]int{n, n} }
	x := b.Conv2D("stem.conv", "input", graph.Conv2D{Out: 8, Kernel: [2]int{3, 5}, Stride: [2]int{2, 1}, Pad: [4]int{1, 2, 0, 1}, Dilation: [2]int{2, 1}, Bias: true})
	x = b.Op(graph.OpReLU, "stem.class", b.Norm("stem.bn", x, graph.BatchNorm{Eps: 1e-3, Momentum: 0.01}))
	y := b.Conv2D("dw", x, graph.Conv2D{Out: 8, Kernel: k(3), Pad: [4]int{1, 1, 1, 1}, Groups: 8})
	x = b.Op(graph.OpAdd, "class", x, b.Op(graph.OpReLU6, "relu6", y))
	x = b.Pool(graph.OpMaxPool, "max1", x, graph.Pool{Kernel: k(2), Stride: k(1), Pad: [4]int{1, 1, 0, 0}})
	x = b.Pool(graph.OpMaxPool, "max2", x, graph.Pool{Kernel: k(3), Stride: k(1), Pad: [4]int{1, 1, 1, 1}})
	x = b.Pool(graph.OpAvgPool, "avg1", x, graph.Pool{Kernel: k(3), Stride: k(1), Pad: [4]int{1, 1, 1, 1}})
	x = b.Pool(graph.OpAvgPool, "avg2", x, graph.Pool{Kernel: k(2), Stride: k(1), Pad: [4]int{0, 1, 1, 0}})
	x = b.Pool(graph.OpAvgPool, "avg3", x, graph.Pool{Kernel: k(3), Stride: [2]int{2, 1}, Pad: [4]int{0, 0, 1, 1}, CountPad: true})
	gate := b.Op(graph.OpGlobalAvgPool, "squeeze", x)
	gate = b.Op(graph.OpSiLU, "silu", b.Linear("reduce", gate, 4))
	gate = b.HardSigmoid("gate", b.Linear("expand", gate, 8))
	x = b.Op(graph.OpMul, "excite", gate, x)
	x = b.Op(graph.OpConcat, "concat", b.Op(graph.OpHardSwish, "swish", x), x, b.Op(graph.OpSigmoid, "sigmoid", x))
	x = b.Clip("clip", b.Op(graph.OpScale, "scale", x), -1, 2)
	x = b.Conv2D("mix", x, graph.Conv2D{Out: 4, Kernel: k(1)})
	z := b.BatchNorm("flat.bn", b.Op(graph.OpFlatten, "flatten", x))
	z = b.Linear("hidden", b.Op(graph.OpScale, "flat.scale", z), 4)
	x = b.Op(graph.OpAdd, "join", b.Op(graph.OpGlobalAvgPool, "gap", x), z)
	b.Op(graph.OpSoftmax, "softmax", b.Linear("fc", x, 5))
	g, err := b.Build()
	require.NoError(t, err)
	return g
}

// The source is what PyTorch was found to compute the same with (scripts/parity).
func TestSource(t *testing.T) {
	g := every(t)
	var have bytes.Buffer
	require.NoError(t, WriteSource(&have, g, []string{`a fact with """ and \`}))
	if *update {
		require.NoError(t, os.WriteFile("testdata/every.py", have.Bytes(), 0o644))
	}
	want, err := os.ReadFile("testdata/every.py")
	require.NoError(t, err)
	assert.Equal(t, string(want), have.String(), "go test ./engine/pytorch -update, then scripts/parity")

	flat := graph.NewBuilder("flat", graph.Shape{H: 2, W: 2, C: 2})
	flat.Op(graph.OpConcat, "concat", flat.Op(graph.OpFlatten, "flatten", "input"), "flatten")
	no, err := flat.Build()
	require.NoError(t, err)
	assert.ErrorContains(t, WriteSource(&have, no, nil), "channels-first")
}

// What is written for PyTorch comes back as it was.
func TestStateDict(t *testing.T) {
	for _, g := range []*graph.Graph{every(t), small(t, "vgg11_bn"), small(t, "regnet_y_400mf")} {
		w := graph.InitWeights(g, 1)
		path := filepath.Join(t.TempDir(), "state.safetensors")
		require.NoError(t, WriteStateDict(path, g, w, map[string]string{"mdp.network": g.Name()}))
		_, metadata, err := safetensors.Read(path)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"format": "pt", "mdp.network": g.Name()}, metadata)
		_, got, err := open(t, path).Load(g)
		require.NoError(t, err)
		assert.Equal(t, w, got)
	}
}

func small(t testing.TB, net string) *graph.Graph {
	g, err := nets.Build(net, nets.Options{Input: graph.Shape{H: 64, W: 64, C: 3}, Width: 0.1, Classes: 3})
	require.NoError(t, err)
	return g
}

// TestEverySource writes, for scripts/parity in the folder $MDP_PARITY, the network
// with every operation in each form, and what the engine computes.
func TestEverySource(t *testing.T) {
	dir := os.Getenv("MDP_PARITY")
	if dir == "" {
		t.Skip("MDP_PARITY is not set")
	}
	g := every(t)
	w := graph.InitWeights(g, 1)
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range g.Params() {
		if p.Role != graph.RoleFilter {
			for i := range w.Data(p.Name) {
				w.Data(p.Name)[i] += r.Float32()
			}
		}
	}
	source, err := os.ReadFile("testdata/every.py")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.py"), source, 0o644))
	require.NoError(t, WriteStateDict(filepath.Join(dir, "model.safetensors"), g, w, nil))
	m, err := onnx.Export(g, w, onnx.ExportOptions{Folded: true})
	require.NoError(t, err)
	f, err := os.Create(filepath.Join(dir, "model.onnx"))
	require.NoError(t, err)
	require.NoError(t, onnx.Encode(f, m))
	require.NoError(t, f.Close())

	b, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	p, err := engine.Compile(g, b, engine.Options{Mode: engine.Infer, Batch: 2})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.SetWeights(w))
	images, outputs := graph.NewTensor(2, 3, 13, 11), graph.NewTensor(2, 5)
	for i := range data(images) {
		data(images)[i] = r.Float32() - 0.5
	}
	require.NoError(t, p.Infer(data(outputs), channelsLast(images)))
	require.NoError(t, safetensors.Write(filepath.Join(dir, "batch.safetensors"), map[string]*tensor.Dense{"images": images, "outputs": outputs}, nil))
}
