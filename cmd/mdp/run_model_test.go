package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"mdp/engine/npy"
	"mdp/engine/onnx"
)

// array reads a tensor that ONNX Runtime wrote or was given, as a model's only one.
func array(t *testing.T, path string) *npy.Array {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, field := range []protowire.Number{5, 7} { // an initialiser, of a graph
		b = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
	}
	m, err := onnx.Decode(b)
	require.NoError(t, err)
	v := m.Graph.Initializers[0]
	data, err := v.Floats(nil)
	require.NoError(t, err)
	a := &npy.Array{Data: data}
	for _, d := range v.Dims {
		a.Dims = append(a.Dims, int(d))
	}
	return a
}

// A model gives what ONNX Runtime gives, as a file and as the folder it was
// imported into, in one batch and in two; a value inside can be had as well.
func TestRunModel(t *testing.T) {
	cases, err := filepath.Abs(filepath.Join("..", "..", "engine", "onnx", "testdata", "cases"))
	require.NoError(t, err)
	dir, model := t.TempDir(), filepath.Join(cases, "view_chain.onnx")
	in, want := array(t, filepath.Join(cases, "view_chain.in.pb")), array(t, filepath.Join(cases, "view_chain.out.pb"))
	require.NoError(t, npy.Write(filepath.Join(dir, "x.npy"), in))

	o := ok(t, dir, "run", model, "--input", "x.npy", "--output", "y.npy", "--output", "f=f.npy", "--output", "a=a.npy", "--batch", "1")
	assert.Equal(t, "y.npy: y of shape [2 3]\nf.npy: f of shape [2 120]\na.npy: a of shape [2 4 6 5]\n", o.stdout)
	ok(t, dir, "import", model, "--out", "m")
	ok(t, dir, "run", "m", "--input", "x.npy", "--output", "z.npy")
	for _, name := range []string{"y.npy", "z.npy"} {
		have, err := npy.Read(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want.Dims, have.Dims)
		assert.InDeltaSlice(t, want.Data, have.Data, 1e-4)
	}
	flat, err := npy.Read(filepath.Join(dir, "f.npy"))
	require.NoError(t, err)
	image, err := npy.Read(filepath.Join(dir, "a.npy"))
	require.NoError(t, err)
	assert.Equal(t, flat.Data, image.Data, "flattened channel by channel, as the model has it")
	assertKeys(t, ok(t, dir, "run", model, "--input", "x=x.npy", "--output", "y=y.npy", "--json").stdout, nil)

	for want, args := range map[string][]string{
		"say --input FILE and --output FILE":    {"run", model},
		"--batch 0":                             {"run", model, "--input", "x.npy", "--output", "y.npy", "--batch", "0"},
		`input "x" is given twice`:              {"run", model, "--input", "x.npy", "--input", "x=z.npy", "--output", "y.npy"},
		"no value of the model is called":       {"run", model, "--input", "x.npy", "--output", "q=y.npy"},
		"none of the model's inputs is given":   {"run", model, "--input", "q=x.npy", "--output", "y.npy"},
		"is neither cpu nor a GPU":              {"run", model, "--input", "x.npy", "--output", "y.npy", "--device", "tpu"},
		"none.onnx":                             {"run", "none.onnx", "--input", "x.npy", "--output", "y.npy"},
		"none.npy":                              {"run", model, "--input", "none.npy", "--output", "y.npy"},
		"not a .npy file":                       {"run", model, "--input", "m/graph.json", "--output", "y.npy"},
		`its input is called "x"`:               {"run", "m", "--input", "q=x.npy", "--output", "y.npy"},
		"weights.safetensors: no such file":     {"run", "n", "--input", "x.npy", "--output", "y.npy"},
		"is of shape [2 3], the model takes [2": {"run", "m", "--input", "y.npy", "--output", "z.npy"},
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "n"), 0o755))
		b, err := os.ReadFile(filepath.Join(dir, "m", "graph.json"))
		require.NoError(t, err)
		write(t, filepath.Join(dir, "n", "graph.json"), string(b))
		o := mdp(t, dir, args...)
		assert.NotZero(t, o.code)
		assert.Contains(t, o.stderr, want)
	}
}
