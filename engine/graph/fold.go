package graph

import "math"

// Fold returns the network for inference without the batch norms that follow a
// convolution or a linear layer which nothing else reads; other batch norms stay. With
// it comes fill, which sets dst to one parameter of that network, so that they need not
// all be held beside those of g.
func Fold(g *Graph, w Weights) (folded *Graph, fill func(dst []float32, p Param), err error) {
	stand := map[string]string{} // batch norm → the layer it is folded into
	norm := map[string]Node{}    // that layer → batch norm
	var nodes []Node
	for i, n := range g.Nodes() {
		if _, ok := stand[n.Name]; ok {
			continue
		}
		for j, in := range n.Inputs {
			if layer, ok := stand[in]; ok {
				n.Inputs[j] = layer
			}
		}
		readers := g.consumers[i]
		if (n.Op == OpConv2D || n.Op == OpLinear) && len(readers) == 1 && g.nodes[readers[0]].Op == OpBatchNorm {
			norm[n.Name] = g.nodes[readers[0]]
			stand[norm[n.Name].Name] = n.Name
			if n.Op == OpConv2D {
				n.Conv2D.Bias = true
			} else {
				n.Linear.Bias = true
			}
		}
		nodes = append(nodes, n)
	}
	folded, err = New(g.name, nodes)
	return folded, func(dst []float32, p Param) {
		if b, ok := norm[folded.nodes[p.Node].Name]; ok {
			FoldInto(dst, w, p, b)
		} else {
			copy(dst, w.Data(p.Name))
		}
	}, err
}

// FoldInto sets dst to the filter or the bias p, which the layer may lack, with the
// batch norm b behind it folded in:
//
//	w'[k, …] = w[k, …]·s[k]   b'[k] = (b[k] − μ[k])·s[k] + β[k]   s[k] = γ[k]/√(σ²[k] + ε)
//
// computed in float64.
func FoldInto(dst []float32, w Weights, p Param, b Node) {
	gamma, beta := w.Data(b.Name+".weight"), w.Data(b.Name+".bias")
	mean, variance := w.Data(b.Name+".running_mean"), w.Data(b.Name+".running_var")
	row := p.Size() / p.Shape[0]
	for k := range p.Shape[0] {
		s := float64(gamma[k]) / math.Sqrt(float64(variance[k])+b.BatchNorm.Eps)
		if p.Role == RoleBias {
			v := -float64(mean[k])
			if t, ok := w[p.Name]; ok {
				v += float64(t.Data().([]float32)[k])
			}
			dst[k] = float32(v*s + float64(beta[k]))
			continue
		}
		for j, v := range w.Data(p.Name)[k*row : (k+1)*row] {
			dst[k*row+j] = float32(float64(v) * s)
		}
	}
}
