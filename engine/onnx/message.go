// Package onnx reads and writes ONNX models (https://onnx.ai). Decode and Encode
// know the file's own messages, of which these structs hold what a convolutional
// network needs; the rest is skipped when read. Nothing nests without end: the
// graphs inside control flow are not decoded.
package onnx

import (
	"io"
	"slices"
)

// Model is a whole file.
type Model struct {
	IRVersion                 int64
	Producer, ProducerVersion string
	Doc                       string
	Opsets                    []Opset
	Graph                     Graph
	Metadata                  []Entry
	Functions                 int // how many the model defines; they are not decoded
}

// Opset says which version of a domain's operators the model means; "" is ONNX's own domain.
type Opset struct {
	Domain  string
	Version int64
}

// Entry is a key with its value.
type Entry struct{ Key, Value string }

// Graph is the network. Nodes are in an order in which every node follows those
// whose outputs it reads.
type Graph struct {
	Name, Doc       string
	Nodes           []Node
	Initializers    []Tensor
	Inputs, Outputs []Value
	Values          []Value // shapes of what lies between
	Sparse          int     // how many sparse initialisers there are; they are not decoded
}

// Node is one operation. An input or output called "" is left out.
type Node struct {
	Name, OpType, Domain string
	Inputs, Outputs      []string
	Attributes           []Attribute
}

// AttributeType says which field of an Attribute counts.
type AttributeType int32

// The attribute types of ONNX. Values of the types from AttributeGraph on,
// AttributeFloats to AttributeStrings apart, are not decoded.
const (
	AttributeFloat   AttributeType = 1
	AttributeInt     AttributeType = 2
	AttributeString  AttributeType = 3
	AttributeTensor  AttributeType = 4
	AttributeGraph   AttributeType = 5
	AttributeFloats  AttributeType = 6
	AttributeInts    AttributeType = 7
	AttributeStrings AttributeType = 8
)

// Attribute is a named constant of a node.
type Attribute struct {
	Name    string
	Type    AttributeType
	Float   float32
	Int     int64
	String  string
	Tensor  *Tensor
	Floats  []float32
	Ints    []int64
	Strings []string
}

// DataType is a tensor's element type.
type DataType int32

// The element types of ONNX that have a fixed number of whole bytes.
const (
	Float      DataType = 1
	Uint8      DataType = 2
	Int8       DataType = 3
	Uint16     DataType = 4
	Int16      DataType = 5
	Int32      DataType = 6
	Int64      DataType = 7
	String     DataType = 8
	Bool       DataType = 9
	Float16    DataType = 10
	Double     DataType = 11
	Uint32     DataType = 12
	Uint64     DataType = 13
	Complex64  DataType = 14
	Complex128 DataType = 15
	BFloat16   DataType = 16
)

// Tensor is a constant. Raw holds its elements, row-major and little-endian,
// whichever field the file has them in; it may be a part of the file's bytes, to
// be read only. Where External is not empty, the elements lie in another file
// (keys "location", "offset", "length") and Raw is nil. So it is of the parameters
// that Export names: Encode computes them one at a time.
type Tensor struct {
	Name     string
	Type     DataType
	Dims     []int64
	Raw      []byte
	External []Entry

	write func(io.Writer) error // writes what would be Raw
}

// Value is an input, an output or something between, a tensor of elements Type.
// Type is 0 for what is not a tensor. Shaped says that the rank is known.
type Value struct {
	Name   string
	Type   DataType
	Shaped bool
	Dims   []Dim
}

// Dim is an extent: a number, or −1 where the file has a name or nothing.
type Dim struct {
	Size int64
	Name string
}

// Attribute returns the node's attribute called name, or nil.
func (n *Node) Attribute(name string) *Attribute {
	for i := range n.Attributes {
		if n.Attributes[i].Name == name {
			return &n.Attributes[i]
		}
	}
	return nil
}

// Files are those beside the model's own that its tensors lie in, relative to its folder.
func (m *Model) Files() []string {
	var files []string
	add := func(t *Tensor) {
		for _, e := range t.External {
			if e.Key == "location" && !slices.Contains(files, e.Value) {
				files = append(files, e.Value)
			}
		}
	}
	for i := range m.Graph.Initializers {
		add(&m.Graph.Initializers[i])
	}
	for _, n := range m.Graph.Nodes {
		for _, a := range n.Attributes {
			if a.Tensor != nil {
				add(a.Tensor)
			}
		}
	}
	return files
}

// Opset is the version of ONNX's own operators that the model means, 0 where it does not say.
func (m *Model) Opset() int64 {
	for _, o := range m.Opsets {
		if o.Domain == "" || o.Domain == "ai.onnx" {
			return o.Version
		}
	}
	return 0
}
