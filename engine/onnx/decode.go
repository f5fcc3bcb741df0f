package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Decode reads a model from its bytes, which the tensors' Raw go on using. Beside
// them it makes at most as many bytes again and 4 MB, or ends with an error. It
// checks the encoding, and that a tensor's data are as long as its shape says;
// what the model means is for others.
func Decode(b []byte) (*Model, error) {
	d := &decoder{left: len(b) + slack}
	m := new(Model)
	if err := d.model(b, m); err != nil {
		return nil, fmt.Errorf("not an ONNX model: %w", err)
	}
	return m, nil
}

func (d *decoder) model(b []byte, m *Model) error {
	n, err := count("model", b)
	if err != nil {
		return err
	}
	if n[7] != 1 {
		return fmt.Errorf("%d graphs, a model has one", n[7])
	}
	if m.Opsets, err = room[Opset](d, n[8]); err != nil {
		return err
	}
	if m.Metadata, err = room[Entry](d, n[14]); err != nil {
		return err
	}
	m.Functions = n[25]
	return each("model", b, func(f field) error {
		switch f.number {
		case 1:
			return f.int(&m.IRVersion)
		case 2:
			return f.text(d, &m.Producer)
		case 3:
			return f.text(d, &m.ProducerVersion)
		case 6:
			return f.text(d, &m.Doc)
		case 7:
			if err := f.want(protowire.BytesType); err != nil {
				return err
			}
			return d.graph(f.bytes, &m.Graph)
		case 8:
			return message(f, &m.Opsets, d.opset)
		case 14:
			return message(f, &m.Metadata, d.entry)
		}
		return nil
	})
}

func (d *decoder) opset(b []byte, o *Opset) error {
	return each("opset", b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(d, &o.Domain)
		case 2:
			return f.int(&o.Version)
		}
		return nil
	})
}

func (d *decoder) entry(b []byte, e *Entry) error {
	return each("entry", b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(d, &e.Key)
		case 2:
			return f.text(d, &e.Value)
		}
		return nil
	})
}

func (d *decoder) graph(b []byte, g *Graph) error {
	n, err := count("graph", b)
	if err != nil {
		return err
	}
	if g.Nodes, err = room[Node](d, n[1]); err != nil {
		return err
	}
	if g.Initializers, err = room[Tensor](d, n[5]); err != nil {
		return err
	}
	for number, to := range map[int]*[]Value{11: &g.Inputs, 12: &g.Outputs, 13: &g.Values} {
		if *to, err = room[Value](d, n[number]); err != nil {
			return err
		}
	}
	g.Sparse = n[15]
	return each("graph", b, func(f field) error {
		switch f.number {
		case 1:
			return message(f, &g.Nodes, d.node)
		case 2:
			return f.text(d, &g.Name)
		case 5:
			return message(f, &g.Initializers, d.tensor)
		case 10:
			return f.text(d, &g.Doc)
		case 11:
			return message(f, &g.Inputs, d.named)
		case 12:
			return message(f, &g.Outputs, d.named)
		case 13:
			return message(f, &g.Values, d.named)
		}
		return nil
	})
}

func (d *decoder) node(b []byte, v *Node) error {
	n, err := count("node", b)
	if err != nil {
		return err
	}
	if v.Inputs, err = room[string](d, n[1]); err != nil {
		return err
	}
	if v.Outputs, err = room[string](d, n[2]); err != nil {
		return err
	}
	if v.Attributes, err = room[Attribute](d, n[5]); err != nil {
		return err
	}
	return each("node", b, func(f field) error {
		switch f.number {
		case 1:
			return f.texts(d, &v.Inputs)
		case 2:
			return f.texts(d, &v.Outputs)
		case 3:
			return f.text(d, &v.Name)
		case 4:
			return f.text(d, &v.OpType)
		case 5:
			return message(f, &v.Attributes, d.attribute)
		case 7:
			return f.text(d, &v.Domain)
		}
		return nil
	})
}

func (d *decoder) attribute(b []byte, a *Attribute) error {
	n, err := count("attribute", b)
	if err != nil {
		return err
	}
	if a.Strings, err = room[string](d, n[9]); err != nil {
		return err
	}
	return each("attribute", b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(d, &a.Name)
		case 2:
			return f.float(&a.Float)
		case 3:
			return f.int(&a.Int)
		case 4:
			return f.octets(d, &a.String)
		case 5:
			if err := f.want(protowire.BytesType); err != nil {
				return err
			}
			if a.Tensor != nil {
				return fmt.Errorf("two tensors")
			}
			a.Tensor = new(Tensor)
			return d.tensor(f.bytes, a.Tensor)
		case 7:
			b, err := f.fixed(protowire.Fixed32Type)
			if err != nil {
				return err
			}
			if len(b)%4 != 0 {
				return fmt.Errorf("floats of %d bytes", len(b))
			}
			if err := grow(d, &a.Floats, len(b)/4); err != nil {
				return err
			}
			a.Floats, err = (&Tensor{Type: Float, Raw: b}).Floats(a.Floats)
			return err
		case 8:
			return f.ints(d, &a.Ints)
		case 9:
			var s string
			err := f.octets(d, &s)
			a.Strings = append(a.Strings, s)
			return err
		case 20:
			var kind int64
			err := f.int(&kind)
			a.Type = AttributeType(kind)
			return err
		}
		return nil
	})
}

// named decodes a value's name and type.
func (d *decoder) named(b []byte, v *Value) error {
	return each("value", b, func(f field) error {
		switch f.number {
		case 1:
			return f.text(d, &v.Name)
		case 2:
			return each("type", f.bytes, func(f field) error {
				if f.number != 1 { // not a tensor
					return nil
				}
				return d.tensorType(f.bytes, v)
			})
		}
		return nil
	})
}

func (d *decoder) tensorType(b []byte, v *Value) error {
	return each("tensor type", b, func(f field) error {
		switch f.number {
		case 1:
			var kind int64
			err := f.int(&kind)
			v.Type = DataType(kind)
			return err
		case 2:
			v.Shaped = true
			n, err := count("shape", f.bytes)
			if err != nil {
				return err
			}
			if v.Dims, err = room[Dim](d, n[1]); err != nil {
				return err
			}
			return each("shape", f.bytes, func(f field) error {
				if f.number != 1 {
					return nil
				}
				return message(f, &v.Dims, d.dim)
			})
		}
		return nil
	})
}

func (d *decoder) dim(b []byte, v *Dim) error {
	v.Size = -1
	return each("dimension", b, func(f field) error {
		switch f.number {
		case 1:
			return f.int(&v.Size)
		case 2:
			return f.text(d, &v.Name)
		}
		return nil
	})
}
