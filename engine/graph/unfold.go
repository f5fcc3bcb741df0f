package graph

import (
	"math"
	"slices"
)

// Bare are the convolutions over images with a bias that no batch norm follows: in
// a model whose batch norms were folded for inference, those that had one. One
// over a single pixel, such as a gate's, never has.
func Bare(g *Graph) []string {
	var names []string
	for i, n := range g.nodes {
		s, readers := g.shapes[i], g.consumers[i]
		if n.Op != OpConv2D || !n.Conv2D.Bias || s.H*s.W == 1 || len(readers) == 0 {
			continue
		}
		if len(readers) > 1 || g.nodes[readers[0]].Op != OpBatchNorm {
			names = append(names, n.Name)
		}
	}
	return names
}

// unfolded is the batch norm behind a bare convolution.
const unfolded = ".norm"

// Probe returns a network that computes the same, but in training gathers, as the
// running statistics of CONV.norm, those of the last batch behind every bare
// convolution: y = x + norm(x), whose γ and β are 0.
func Probe(g *Graph, w Weights) (*Graph, Weights, error) {
	probed := w.Clone()
	p, err := behind(g, func(conv *Node, channels int) []Node {
		norm := conv.Name + unfolded
		addNorm(probed, norm, channels)
		return []Node{
			{Name: norm, Op: OpBatchNorm, Inputs: []string{conv.Name}, BatchNorm: &BatchNorm{Eps: 1e-5, Momentum: 1}},
			{Name: conv.Name + ".probed", Op: OpAdd, Inputs: []string{conv.Name, norm}},
		}
	})
	return p, probed, err
}

// Unfold returns a network that computes the same with a batch norm behind every
// bare convolution, whose bias it takes: the opposite of Fold. With the mean μ and
// the variance σ² of the convolution's results, as Probe's network gathers them,
//
//	γ = √(σ² + ε), β = μ, and the running mean is μ without the bias
func Unfold(g *Graph, w, statistics Weights) (*Graph, Weights, error) {
	full := w.Clone()
	u, err := behind(g, func(conv *Node, channels int) []Node {
		norm := Node{Name: conv.Name + unfolded, Op: OpBatchNorm, Inputs: []string{conv.Name}, BatchNorm: &BatchNorm{Eps: 1e-5, Momentum: 0.1}}
		addNorm(full, norm.Name, channels)
		gamma, beta := full.Data(norm.Name+".weight"), full.Data(norm.Name+".bias")
		mean, variance := full.Data(norm.Name+".running_mean"), full.Data(norm.Name+".running_var")
		copy(beta, statistics.Data(norm.Name+".running_mean"))
		copy(mean, beta)
		copy(variance, statistics.Data(norm.Name+".running_var"))
		for k, v := range variance {
			gamma[k] = float32(math.Sqrt(float64(v) + norm.BatchNorm.Eps))
		}
		for k, b := range full.Data(conv.Name + ".bias") {
			mean[k] -= b
		}
		conv.Conv2D.Bias = false
		delete(full, conv.Name+".bias")
		return []Node{norm}
	})
	return u, full, err
}

// addNorm makes room for a batch norm's parameters.
func addNorm(w Weights, name string, channels int) {
	for _, suffix := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
		w[name+suffix] = NewTensor(channels)
	}
}

// behind puts what more makes behind every bare convolution, and has what read
// it read the last of that.
func behind(g *Graph, more func(conv *Node, channels int) []Node) (*Graph, error) {
	last := map[string]string{}
	bare := Bare(g)
	var nodes []Node
	for i, n := range g.Nodes() {
		for j, in := range n.Inputs {
			if l, ok := last[in]; ok {
				n.Inputs[j] = l
			}
		}
		var behind []Node
		if slices.Contains(bare, n.Name) {
			behind = more(&n, g.shapes[i].C)
			last[n.Name] = behind[len(behind)-1].Name
		}
		nodes = append(append(nodes, n), behind...)
	}
	return New(g.name, nodes)
}
