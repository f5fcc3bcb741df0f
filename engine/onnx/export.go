package onnx

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/x448/float16"

	"mdp/engine/graph"
)

// ExportOptions say in what form a network is written; the zero value is float32
// with batch norms and any batch.
type ExportOptions struct {
	Batch    int  // images per inference; 0 leaves it to the caller
	Folded   bool // batch norms are folded into the layers before them
	Half     bool // weights and arithmetic are float16, the border stays float32
	Version  string
	Metadata []Entry
}

const (
	exportIR    = 8 // the version of the format that came with
	exportOpset = 17
)

// Export makes a model of a network for inference, to be written by Encode while w
// is as it was. Images are N×C×H×W; values and initialisers have the names of the
// graph's nodes and parameters.
func Export(g *graph.Graph, w graph.Weights, o ExportOptions) (*Model, error) {
	g, err := g.WithoutLoss()
	if err != nil {
		return nil, err
	}
	if err := w.Check(g); err != nil {
		return nil, err
	}
	fill := func(dst []float32, p graph.Param) { copy(dst, w.Data(p.Name)) }
	if o.Folded {
		if g, fill, err = graph.Fold(g, w); err != nil {
			return nil, err
		}
	}
	if err := g.ChannelsFirst(); err != nil {
		return nil, err
	}
	e := &exporter{g: g, fill: fill, o: o, flat: make([]bool, g.Len()), made: map[string]bool{}}
	e.ours, e.theirs, e.chunk = make([]float32, g.LargestParam()), make([]float32, g.LargestParam()), make([]byte, 1<<16)
	e.model = &Model{
		IRVersion: exportIR, Producer: "mdp", ProducerVersion: o.Version, Metadata: o.Metadata,
		Opsets: []Opset{{Version: exportOpset}}, Graph: Graph{Name: g.Name()},
	}
	for i := range g.Len() {
		if err := e.node(i); err != nil {
			return nil, fmt.Errorf("graph %q: node %d %q (%s): %w", g.Name(), i, g.Node(i).Name, g.Node(i).Op, err)
		}
	}
	if err := e.border(); err != nil {
		return nil, err
	}
	return e.model, Check(e.model)
}

// exporter writes nodes one by one.
type exporter struct {
	g     *graph.Graph
	fill  func(dst []float32, p graph.Param)
	o     ExportOptions
	model *Model
	flat  []bool          // the node's value is N×C, not N×C×H×W
	made  map[string]bool // values that stand for others' in another rank

	ours, theirs []float32 // a parameter in our order and in ONNX's
	chunk        []byte    // of it as it is in the file
}

func (e *exporter) add(op, name string, inputs []string, attributes ...Attribute) string {
	e.model.Graph.Nodes = append(e.model.Graph.Nodes, Node{Name: name, OpType: op, Inputs: inputs, Outputs: []string{name}, Attributes: attributes})
	return name
}

// border names the input and the output, and turns them from and to float32.
func (e *exporter) border() error {
	batch := Dim{Size: int64(e.o.Batch)}
	if e.o.Batch == 0 {
		batch = Dim{Size: -1, Name: "N"}
	}
	dims := func(i int) []Dim {
		s := e.g.Shape(i)
		d := []Dim{batch, {Size: int64(s.C)}}
		if !e.flat[i] {
			d = append(d, Dim{Size: int64(s.H)}, Dim{Size: int64(s.W)})
		}
		return d
	}
	last := e.g.Len() - 1
	if f := e.g.Flattened(last); f.Size() > f.C {
		return fmt.Errorf("graph %q: the output is a flattened image in our order, which has no channels-first form", e.g.Name())
	}
	graph := &e.model.Graph
	graph.Inputs = []Value{{Name: e.g.Node(0).Name, Type: Float, Shaped: true, Dims: dims(0)}}
	output := e.g.Node(last).Name
	if e.o.Half {
		output = e.add("Cast", output+"/float", []string{output}, intOf("to", int64(Float)))
	}
	graph.Outputs = []Value{{Name: output, Type: Float, Shaped: true, Dims: dims(last)}}
	return nil
}

// image and vector are the value of node i as N×C×H×W and as N×C.
func (e *exporter) image(i int) string {
	name := e.value(i)
	if !e.flat[i] {
		return name
	}
	axes := e.model.Graph.Name + "/axes"
	if !e.made[axes] {
		e.made[axes] = true
		e.model.Graph.Initializers = append(e.model.Graph.Initializers, Tensor{Name: axes, Type: Int64, Dims: []int64{2}, Raw: []byte{2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}})
	}
	return e.once("Unsqueeze", name+"/image", name, axes)
}

func (e *exporter) vector(i int) string {
	name := e.value(i)
	if e.flat[i] {
		return name
	}
	return e.once("Flatten", name+"/vector", name)
}

// once adds a node unless it is there.
func (e *exporter) once(op, name string, inputs ...string) string {
	if e.made[name] {
		return name
	}
	e.made[name] = true
	return e.add(op, name, inputs)
}

// value is the name of node i's value.
func (e *exporter) value(i int) string {
	name := e.g.Node(i).Name
	if i == 0 && e.o.Half {
		if half := name + "/half"; !e.made[half] {
			e.made[half] = true
			e.add("Cast", half, []string{name}, intOf("to", int64(Float16)))
		}
		return name + "/half"
	}
	return name
}

// params adds node i's parameters as initialisers, channels first, and returns
// their names.
func (e *exporter) params(i int) []string {
	var names []string
	for _, p := range e.g.NodeParams(i) {
		var dims []int64
		for _, d := range e.g.ChannelsFirstShape(p) {
			dims = append(dims, int64(d))
		}
		e.initialiser(p.Name, dims, func() []float32 {
			ours, theirs := e.ours[:p.Size()], e.theirs[:p.Size()]
			e.fill(ours, p)
			e.g.ToChannelsFirst(theirs, ours, p)
			return theirs
		})
		names = append(names, p.Name)
	}
	return names
}

// initialiser adds one, whose elements are asked for when it is written.
func (e *exporter) initialiser(name string, dims []int64, elements func() []float32) {
	t := Tensor{Name: name, Type: Float, Dims: dims, write: func(w io.Writer) error { return e.numbers(w, name, elements()) }}
	if e.o.Half {
		t.Type = Float16
	}
	e.model.Graph.Initializers = append(e.model.Graph.Initializers, t)
}

// numbers writes an initialiser's elements, a chunk at a time.
func (e *exporter) numbers(w io.Writer, name string, data []float32) error {
	for part := range slices.Chunk(data, cap(e.chunk)/4) {
		b := e.chunk[:0]
		for _, v := range part {
			if !e.o.Half {
				b = append32(b, math.Float32bits(v))
				continue
			}
			h := float16.Fromfloat32(v)
			if h.IsInf(0) && !math.IsInf(float64(v), 0) {
				return fmt.Errorf("%s has a weight of %g, beyond float16's 65504: export it as float32", name, v)
			}
			b = binary.LittleEndian.AppendUint16(b, h.Bits())
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func intOf(name string, v int64) Attribute {
	return Attribute{Name: name, Type: AttributeInt, Int: v}
}

func floatOf(name string, v float64) Attribute {
	return Attribute{Name: name, Type: AttributeFloat, Float: float32(v)}
}

func intsOf(name string, v ...int) Attribute {
	a := Attribute{Name: name, Type: AttributeInts}
	for _, i := range v {
		a.Ints = append(a.Ints, int64(i))
	}
	return a
}
