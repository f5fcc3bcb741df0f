package onnx

import (
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Encode writes the model. Equal models give equal bytes. Tensors are written as
// raw data straight from where they are, so beside the model it needs little memory.
func Encode(w io.Writer, m *Model) error {
	for _, p := range m.encode().pieces {
		var err error
		if p.write != nil {
			err = p.write(w)
		} else {
			_, err = w.Write(p.bytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// piece of a file: bytes, or what writes them.
type piece struct {
	bytes []byte
	write func(io.Writer) error
}

// encoded is a message in the file's form, in pieces so that large data need not be copied.
type encoded struct {
	pieces []piece
	size   int
	grows  bool // the last piece is ours to append to
}

func (e *encoded) append(f func(b []byte) []byte) {
	if !e.grows {
		e.pieces, e.grows = append(e.pieces, piece{}), true
	}
	last := &e.pieces[len(e.pieces)-1].bytes
	before := len(*last)
	*last = f(*last)
	e.size += len(*last) - before
}

// large is from how many bytes on a piece is written where it lies.
const large = 1 << 12

func (e *encoded) bytes(number protowire.Number, v []byte) {
	e.append(func(b []byte) []byte {
		b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(len(v)))
		if len(v) < large {
			b = append(b, v...)
		}
		return b
	})
	if len(v) >= large {
		e.pieces, e.size, e.grows = append(e.pieces, piece{bytes: v}), e.size+len(v), false
	}
}

// written is bytes of which there are size, and which write writes.
func (e *encoded) written(number protowire.Number, size int, write func(io.Writer) error) {
	e.append(func(b []byte) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(size))
	})
	e.pieces, e.size, e.grows = append(e.pieces, piece{write: write}), e.size+size, false
}

func (e *encoded) message(number protowire.Number, m encoded) {
	e.append(func(b []byte) []byte {
		b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(m.size))
		if m.gathered() {
			for _, p := range m.pieces {
				b = append(b, p.bytes...)
			}
		}
		return b
	})
	if !m.gathered() {
		e.pieces, e.size, e.grows = append(e.pieces, m.pieces...), e.size+m.size, false
	}
}

// gathered says that a message is better copied than left in pieces.
func (e *encoded) gathered() bool {
	return e.size < large && !slices.ContainsFunc(e.pieces, func(p piece) bool { return p.write != nil })
}

// text leaves out what is empty; always writes it.
func (e *encoded) text(number protowire.Number, s string) {
	if s != "" {
		e.always(number, s)
	}
}

func (e *encoded) always(number protowire.Number, s string) { e.bytes(number, []byte(s)) }

func (e *encoded) int(number protowire.Number, v int64) {
	e.append(func(b []byte) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), uint64(v))
	})
}

func (e *encoded) float(number protowire.Number, v float32) {
	e.append(func(b []byte) []byte {
		return protowire.AppendFixed32(protowire.AppendTag(b, number, protowire.Fixed32Type), math.Float32bits(v))
	})
}

func (m *Model) encode() (e encoded) {
	e.int(1, m.IRVersion)
	e.text(2, m.Producer)
	e.text(3, m.ProducerVersion)
	e.text(6, m.Doc)
	e.message(7, m.Graph.encode())
	for _, o := range m.Opsets {
		var opset encoded
		opset.text(1, o.Domain)
		opset.int(2, o.Version)
		e.message(8, opset)
	}
	for _, v := range m.Metadata {
		e.message(14, v.encode())
	}
	return e
}

func (v Entry) encode() (e encoded) {
	e.always(1, v.Key)
	e.always(2, v.Value)
	return e
}

func (g *Graph) encode() (e encoded) {
	for i := range g.Nodes {
		e.message(1, g.Nodes[i].encode())
	}
	e.text(2, g.Name)
	for i := range g.Initializers {
		e.message(5, g.Initializers[i].encode())
	}
	e.text(10, g.Doc)
	for _, values := range []struct {
		number protowire.Number
		list   []Value
	}{{11, g.Inputs}, {12, g.Outputs}, {13, g.Values}} {
		for _, v := range values.list {
			e.message(values.number, v.encode())
		}
	}
	return e
}

func (n *Node) encode() (e encoded) {
	for _, s := range n.Inputs {
		e.always(1, s)
	}
	for _, s := range n.Outputs {
		e.always(2, s)
	}
	e.text(3, n.Name)
	e.text(4, n.OpType)
	for i := range n.Attributes {
		e.message(5, n.Attributes[i].encode())
	}
	e.text(7, n.Domain)
	return e
}

func (a *Attribute) encode() (e encoded) {
	e.text(1, a.Name)
	switch a.Type {
	case AttributeFloat:
		e.float(2, a.Float)
	case AttributeInt:
		e.int(3, a.Int)
	case AttributeString:
		e.always(4, a.String)
	case AttributeTensor:
		if a.Tensor != nil { // a file may say that there is one, and have none
			e.message(5, a.Tensor.encode())
		}
	case AttributeFloats:
		for _, v := range a.Floats {
			e.float(7, v)
		}
	case AttributeInts:
		for _, v := range a.Ints {
			e.int(8, v)
		}
	case AttributeStrings:
		for _, s := range a.Strings {
			e.always(9, s)
		}
	}
	e.int(20, int64(a.Type))
	return e
}

func (t *Tensor) encode() (e encoded) {
	for _, d := range t.Dims {
		e.int(1, d)
	}
	e.int(2, int64(t.Type))
	e.text(8, t.Name)
	if t.write != nil {
		n, _ := t.Len() // Export has counted them
		e.written(9, int(n*t.Type.width()), t.write)
		return e
	}
	if t.External == nil {
		e.bytes(9, t.Raw)
		return e
	}
	for _, v := range t.External {
		e.message(13, v.encode())
	}
	e.int(14, 1)
	return e
}

func (v Value) encode() (e encoded) {
	e.text(1, v.Name)
	if v.Type == 0 {
		return e
	}
	var tensor, kind encoded
	tensor.int(1, int64(v.Type))
	if v.Shaped {
		var shape encoded
		for _, d := range v.Dims {
			var dim encoded
			if d.Size >= 0 {
				dim.int(1, d.Size)
			} else {
				dim.text(2, d.Name)
			}
			shape.message(1, dim)
		}
		tensor.message(2, shape)
	}
	kind.message(1, tensor)
	e.message(2, kind)
	return e
}
