package graph

import "math"

// Fold returns the network for inference without the batch norms that follow a
// convolution or a linear layer which nothing else reads:
//
//	w'[k, …] = w[k, …]·s[k]   b'[k] = (b[k] − μ[k])·s[k] + β[k]   s[k] = γ[k]/√(σ²[k] + ε)
//
// computed in float64. Other batch norms stay.
func Fold(g *Graph, w Weights) (*Graph, Weights, error) {
	folded := map[string]string{} // batch norm → what stands for it
	var nodes []Node
	small := Weights{}
	for i, n := range g.Nodes() {
		if _, ok := folded[n.Name]; ok {
			continue
		}
		for j, in := range n.Inputs {
			if stand, ok := folded[in]; ok {
				n.Inputs[j] = stand
			}
		}
		readers := g.consumers[i]
		if (n.Op == OpConv2D || n.Op == OpLinear) && len(readers) == 1 && g.nodes[readers[0]].Op == OpBatchNorm {
			norm := g.nodes[readers[0]]
			folded[norm.Name] = n.Name
			foldInto(small, w, g.NodeParams(i)[0], n.Name, norm)
			if n.Op == OpConv2D {
				n.Conv2D.Bias = true
			} else {
				n.Linear.Bias = true
			}
		} else {
			for _, p := range g.NodeParams(i) {
				small[p.Name] = w[p.Name]
			}
		}
		nodes = append(nodes, n)
	}
	f, err := New(g.name, nodes)
	return f, small, err
}

// foldInto makes the filter and the bias of the layer called name.
func foldInto(dst, w Weights, filter Param, name string, norm Node) {
	gamma, beta := w.Data(norm.Name+".weight"), w.Data(norm.Name+".bias")
	mean, variance := w.Data(norm.Name+".running_mean"), w.Data(norm.Name+".running_var")
	dst[filter.Name], dst[name+".bias"] = NewTensor(filter.Shape...), NewTensor(filter.Shape[0])
	from, to, bias := w.Data(filter.Name), dst.Data(filter.Name), dst.Data(name+".bias")
	row := filter.Size() / filter.Shape[0]
	for k := range filter.Shape[0] {
		s := float64(gamma[k]) / math.Sqrt(float64(variance[k])+norm.BatchNorm.Eps)
		for j := k * row; j < (k+1)*row; j++ {
			to[j] = float32(float64(from[j]) * s)
		}
		b := -float64(mean[k])
		if t, ok := w[name+".bias"]; ok {
			b += float64(t.Data().([]float32)[k])
		}
		bias[k] = float32(b*s + float64(beta[k]))
	}
}
