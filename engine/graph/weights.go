package graph

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gorgonia.org/tensor"
)

// Weights are a network's parameters on the host: name → float32 tensor, KRSC.
type Weights map[string]*tensor.Dense

// Data is the parameter's storage, row-major.
func (w Weights) Data(name string) []float32 { return w[name].Data().([]float32) }

// Clone copies every tensor.
func (w Weights) Clone() Weights {
	c := make(Weights, len(w))
	for name, t := range w {
		c[name] = t.Clone().(*tensor.Dense)
	}
	return c
}

// NewTensor makes a zeroed float32 tensor.
func NewTensor(shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.Of(tensor.Float32))
}

// Check reports, in one error, every parameter of g that is missing, of another
// shape or type, and every tensor that g does not know.
func (w Weights) Check(g *Graph) error {
	var wrong []string
	known := map[string]bool{}
	for _, p := range g.Params() {
		known[p.Name] = true
		t, ok := w[p.Name]
		switch {
		case !ok:
			wrong = append(wrong, p.Name+" is missing")
		case t.Dtype() != tensor.Float32:
			wrong = append(wrong, fmt.Sprintf("%s is %v, not float32", p.Name, t.Dtype()))
		case !slices.Equal([]int(t.Shape()), p.Shape):
			wrong = append(wrong, fmt.Sprintf("%s has shape %v, the graph needs %v", p.Name, []int(t.Shape()), p.Shape))
		}
	}
	for name := range w {
		if !known[name] {
			wrong = append(wrong, name+" is not in the graph")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	more := ""
	if len(wrong) > 8 {
		more = fmt.Sprintf(" and %d more", len(wrong)-8)
		wrong = wrong[:8]
	}
	return fmt.Errorf("weights do not fit graph %q: %s%s", g.name, strings.Join(wrong, "; "), more)
}

// InitWeights draws fresh weights: He's normal initialisation with fan-out for
// convolutions (arXiv 1502.01852, torchvision's choice), uniform ±1/√in for
// linear layers, γ = 1, β = 0. Each tensor's stream depends on the seed and its
// name alone, so that an edit elsewhere in the network changes nothing here.
func InitWeights(g *Graph, seed uint64) Weights {
	w := Weights{}
	for _, p := range g.Params() {
		t := NewTensor(p.Shape...)
		w[p.Name] = t
		d := t.Data().([]float32)
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		n := g.nodes[p.Node]
		switch {
		case p.Role == RoleGamma || p.Role == RoleRunningVar:
			for i := range d {
				d[i] = 1
			}
		case n.Op == OpConv2D && p.Role == RoleFilter:
			fanOut := p.Shape[0] / n.Conv2D.Groups * p.Shape[1] * p.Shape[2]
			std := math.Sqrt(2 / float64(fanOut))
			for i := range d {
				d[i] = float32(r.NormFloat64() * std)
			}
		case n.Op == OpLinear:
			bound := 1 / math.Sqrt(float64(g.shapes[g.inputs[p.Node][0]].C))
			for i := range d {
				d[i] = float32((2*r.Float64() - 1) * bound)
			}
		}
	}
	return w
}
