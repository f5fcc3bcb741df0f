package onnx

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

func messages(t testing.TB) []byte {
	b, err := os.ReadFile("testdata/messages.onnx")
	require.NoError(t, err)
	return b
}

// The file is written by ONNX's own package; see testdata/write.py.
func TestDecode(t *testing.T) {
	m, err := Decode(messages(t))
	require.NoError(t, err)
	tensors := m.Graph.Initializers
	m.Graph.Initializers = nil
	node := m.Graph.Nodes[0]
	assert.Equal(t, &Tensor{Name: "float_data", Type: Float, Dims: []int64{2, 3}, Raw: tensors[0].Raw}, node.Attribute("t").Tensor)
	node.Attribute("t").Tensor = nil
	assert.Nil(t, node.Attribute("none"))
	assert.Equal(t, int64(17), m.Opset())
	assert.Equal(t, &Model{
		IRVersion: 9, Producer: "who", ProducerVersion: "1", Doc: "more words",
		Opsets: []Opset{{"", 17}, {"some.where", 2}}, Metadata: []Entry{{"key", "value"}},
		Graph: Graph{
			Name: "graph", Doc: "words",
			Nodes: []Node{{"conv", "Conv", "some.where", []string{"x", "", "w"}, []string{"y"}, []Attribute{
				{Name: "f", Type: AttributeFloat, Float: 0.5},
				{Name: "fs", Type: AttributeFloats, Floats: []float32{1, 2}},
				{Name: "i", Type: AttributeInt, Int: -3},
				{Name: "many", Type: AttributeInts, Ints: []int64{1, -2}},
				{Name: "s", Type: AttributeString, String: "VALID"},
				{Name: "ss", Type: AttributeStrings, Strings: []string{"a", "b"}},
				{Name: "t", Type: AttributeTensor},
			}}},
			Inputs:  []Value{{"x", Float, true, []Dim{{-1, "N"}, {3, ""}, {-1, ""}, {0, ""}}}},
			Outputs: []Value{{"y", Float16, false, nil}},
			Values:  []Value{{"z", Int64, true, nil}},
		},
	}, m)

	halves := []float32{0, float32(math.Copysign(0, -1)), 1, -2.5, 65504, 1. / (1 << 24), float32(math.Inf(1))}
	floats := map[string][]float32{
		"float_data": {1, 2, 3, 4, 5, -6.5}, "double_data": {0.1, -2}, "half_data": halves, "half_raw": halves, "bfloat_data": {1.5, -3},
		"float_raw": {0, 1, 2, 3, 4, 5}, "int32_data": {7, -7}, "empty": nil,
	}
	ints := map[string][]int64{
		"int64_data": {0, -1, 1 << 40}, "int32_data": {7, -7}, "int8_data": {7, -7}, "bool_data": {1, 0, 1}, "uint64_data": {9}, "scalar": {5},
	}
	for _, v := range tensors {
		have, err := v.Floats(nil)
		if want, ok := floats[v.Name]; ok {
			require.NoError(t, err)
			assert.Equal(t, want, have, v.Name)
		}
		whole, err := v.Ints()
		if want, ok := ints[v.Name]; ok {
			require.NoError(t, err)
			assert.Equal(t, want, whole, v.Name)
		} else {
			assert.ErrorContains(t, err, "no whole numbers", v.Name)
		}
	}
	last := tensors[len(tensors)-1]
	assert.Equal(t, Tensor{Name: "outside", Type: Float, Dims: []int64{2}, External: []Entry{{"location", "weights.bin"}, {"offset", "4096"}, {"length", "8"}}}, last)
}

func encodeBytes(t testing.TB, m *Model) []byte {
	var b bytes.Buffer
	require.NoError(t, Encode(&b, m))
	return b.Bytes()
}

func TestEncode(t *testing.T) {
	m, err := Decode(messages(t))
	require.NoError(t, err)
	m.Graph.Initializers = append(m.Graph.Initializers, Tensor{Name: "large", Type: Uint8, Dims: []int64{3 * large}, Raw: make([]byte, 3*large)})
	m.Graph.Nodes = append(m.Graph.Nodes, Node{OpType: "Constant", Attributes: []Attribute{{Name: "value", Type: AttributeTensor, Tensor: &m.Graph.Initializers[len(m.Graph.Initializers)-1]}}})
	again, err := Decode(encodeBytes(t, m))
	require.NoError(t, err)
	assert.Equal(t, m, again)
}

func wrap(number protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
}

func varint(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

// tensorModel is a model with one initialiser of these fields.
func tensorModel(fields ...[]byte) []byte { return wrap(7, wrap(5, bytes.Join(fields, nil))) }

// lie is a file that is not what it says, and a part of the error it must end in.
type lie struct {
	name, err string
	file      []byte
}

func hostile() []lie {
	return []lie{
		{"empty", "0 graphs", nil},
		{"text", "not an ONNX model", []byte("hello, world")},
		{"two graphs", "2 graphs", append(wrap(7, nil), wrap(7, nil)...)},
		{"graph a number", "wire type 0, must be 2", varint(7, 1)},
		{"length over the file", "field 7: unexpected EOF", []byte{7<<3 | 2, 200}},
		{"length of 2^63", "field 7: unexpected EOF", protowire.AppendVarint([]byte{7<<3 | 2}, 1<<63)},
		{"endless number", "variable length integer overflow", bytes.Repeat([]byte{0xff}, 40)},
		{"group", "wire type 3", bytes.Repeat([]byte{8<<3 | 3}, 1<<16)},
		{"field 0", "invalid field number", []byte{0, 0}},
		{"name not UTF-8", "not UTF-8", wrap(7, wrap(2, []byte{0xff}))},
		{"dimension of 2^63", "is not one that memory holds", tensorModel(varint(1, 1<<63), varint(2, 1), wrap(9, nil))},
		{"product overflows", "is not one that memory holds", tensorModel(varint(1, 1<<32), varint(1, 1<<32), varint(2, 1), wrap(9, nil))},
		{"data too short", "3 bytes of data", tensorModel(varint(1, 1), varint(2, 1), wrap(9, make([]byte, 3)))},
		{"data too long", "5 bytes of data", tensorModel(varint(1, 1), varint(2, 1), wrap(9, make([]byte, 5)))},
		{"no data", "0 bytes of data", tensorModel(varint(1, 1<<30), varint(2, 1))},
		{"floats of halves", "float_data in a tensor of float16", tensorModel(varint(1, 1), varint(2, 10), wrap(4, make([]byte, 4)))},
		{"integers of floats", "integers in a tensor of float", tensorModel(varint(1, 1), varint(2, 1), varint(5, 4))},
		{"segment", "segments", tensorModel(wrap(3, nil))},
		{"nowhere", "not where", tensorModel(varint(14, 1))},
		{"million nodes", "more memory", wrap(7, bytes.Repeat(wrap(1, nil), 1<<20))},
		{"million values", "more memory", wrap(7, bytes.Repeat(wrap(11, nil), 1<<20))},
		{"million tensors", "more memory", wrap(7, bytes.Repeat(wrap(5, nil), 1<<20))},
		{"million attributes", "more memory", wrap(7, wrap(1, bytes.Repeat(wrap(5, nil), 1<<20)))},
		{"million attribute tensors", "two tensors", wrap(7, wrap(1, wrap(5, bytes.Repeat(wrap(5, nil), 1<<20))))},
		{"million inputs", "more memory", wrap(7, wrap(1, bytes.Repeat(wrap(1, nil), 1<<20)))},
		{"million dimensions", "more than 64 dimensions", tensorModel(wrap(1, make([]byte, 1<<20)))},
		{"million shapes", "more memory", wrap(7, wrap(11, bytes.Repeat(wrap(2, wrap(1, wrap(2, wrap(1, nil)))), 1<<20)))},
		{"million small numbers", "more memory", tensorModel(varint(1, 1<<22), varint(2, 7), wrap(7, make([]byte, 1<<22)))},
	}
}

// Every lie is an error of one line, and costs at most the file again and the slack.
func TestHostile(t *testing.T) {
	for _, c := range hostile() {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(c.file)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, c.err)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 600)
			assert.Less(t, int(after.TotalAlloc-before.TotalAlloc), len(c.file)+slack+1<<20)
		})
	}
}

// Unpacked numbers and data in parts are legal, and nobody writes them.
func TestParts(t *testing.T) {
	four := func(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }
	m, err := Decode(tensorModel(varint(2, 1), wrap(1, []byte{2}), varint(1, 2),
		wrap(4, append(four(1), four(2)...)), protowire.AppendFixed32(protowire.AppendTag(nil, 4, protowire.Fixed32Type), math.Float32bits(3)), wrap(4, four(4))))
	require.NoError(t, err)
	have, err := m.Graph.Initializers[0].Floats(nil)
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 2, 3, 4}, have)
	assert.Equal(t, []int64{2, 2}, m.Graph.Initializers[0].Dims)
}

// Whatever is decoded survives being written.
func FuzzDecode(f *testing.F) {
	f.Add(messages(f))
	addModels(f)
	for _, c := range hostile() {
		if len(c.file) < 1<<12 {
			f.Add(c.file)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		first := encodeBytes(t, m)
		again, err := Decode(first)
		require.NoError(t, err)
		assert.Equal(t, first, encodeBytes(t, again))
	})
}
