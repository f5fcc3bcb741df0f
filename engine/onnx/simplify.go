package onnx

import (
	"math"
	"slices"

	"mdp/engine/graph"
)

// simplify drops what the output does not need and reads patterns that exporters
// write for one operation: a bias added to a layer, swishes and hard swishes
// multiplied out. Each rule is an identity, up to rounding, on its own, so they
// may apply in any order.
func simplify(nodes []graph.Node, w graph.Weights, output string) []graph.Node {
	r := &rewriter{nodes, w, map[string]int{}, map[string]int{}, output}
	r.sweep()
	r.each((*rewriter).clipped) // before a bias takes up the 3 they look for
	r.each((*rewriter).apply)
	return r.nodes
}

// each tries a rule at every node until it applies nowhere.
func (r *rewriter) each(rule func(*rewriter, int) bool) {
	for changed := true; changed; {
		changed = false
		for i := 0; i < len(r.nodes); i++ {
			if rule(r, i) {
				r.sweep()
				changed = true
			}
		}
	}
}

type rewriter struct {
	nodes   []graph.Node
	weights graph.Weights
	index   map[string]int
	uses    map[string]int
	output  string
}

// sweep drops nodes that nothing reads, with their weights, and counts uses.
func (r *rewriter) sweep() {
	clear(r.index)
	clear(r.uses)
	r.uses[r.output] = 1
	var kept []graph.Node
	for _, n := range slices.Backward(r.nodes) {
		if r.uses[n.Name] == 0 && n.Op != graph.OpInput {
			for _, suffix := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
				delete(r.weights, n.Name+suffix)
			}
			continue
		}
		for _, in := range n.Inputs {
			r.uses[in]++
		}
		kept = append(kept, n)
	}
	slices.Reverse(kept)
	r.nodes = kept
	for i, n := range kept {
		r.index[n.Name] = i
	}
}

// before is the node that makes node i's input j, where nothing else reads it.
func (r *rewriter) before(i, j int) (int, bool) {
	name := r.nodes[i].Inputs[j]
	return r.index[name], r.uses[name] == 1
}

// apply tries every rule at node i.
func (r *rewriter) apply(i int) bool {
	switch r.nodes[i].Op {
	case graph.OpScale:
		return r.identity(i) || r.merge(i)
	case graph.OpMul:
		return r.gated(i, 0, 1) || r.gated(i, 1, 0)
	}
	return false
}

// identity: a scale by one that adds nothing goes.
func (r *rewriter) identity(i int) bool {
	n := r.nodes[i]
	if !r.all(n.Name+".weight", 1) || !r.all(n.Name+".bias", 0) {
		return false
	}
	r.redirect(n.Name, n.Inputs[0])
	return true
}

// redirect makes all that reads one node read another.
func (r *rewriter) redirect(from, to string) {
	for i := range r.nodes {
		for j, in := range r.nodes[i].Inputs {
			if in == from {
				r.nodes[i].Inputs[j] = to
			}
		}
	}
	if r.output == from {
		r.output = to
	}
}

// merge: s·(w·x + b) + t = (s·w)·x + (s·b + t), into the convolution, the linear
// layer, the batch norm or the scale before it.
func (r *rewriter) merge(i int) bool {
	h, only := r.before(i, 0)
	if !only {
		return false
	}
	n, head := r.nodes[i], &r.nodes[h]
	switch head.Op {
	case graph.OpConv2D:
		head.Conv2D.Bias = true
	case graph.OpLinear:
		head.Linear.Bias = true
	case graph.OpBatchNorm, graph.OpScale:
	default:
		return false
	}
	s, t := r.weights.Data(n.Name+".weight"), r.weights.Data(n.Name+".bias")
	if r.weights[head.Name+".bias"] == nil {
		r.weights[head.Name+".bias"] = graph.NewTensor(len(t))
	}
	w, b := r.weights.Data(head.Name+".weight"), r.weights.Data(head.Name+".bias")
	each := len(w) / len(s)
	for k := range s {
		for j := range each {
			w[k*each+j] *= s[k]
		}
		b[k] = s[k]*b[k] + t[k]
	}
	r.redirect(n.Name, head.Name)
	return true
}

// clipped: min(max(x + 3, 0), 6) = 6·hard_sigmoid(x), as which the rules of
// products find it again.
func (r *rewriter) clipped(i int) bool {
	n := &r.nodes[i]
	if n.Op != graph.OpReLU6 && n.Op != graph.OpClip || n.Op == graph.OpClip && *n.Clip != (graph.Clip{Low: 0, High: 6}) {
		return false
	}
	s, only := r.before(i, 0)
	if shift := r.nodes[s]; !only || shift.Op != graph.OpScale || !r.all(shift.Name+".weight", 1) || !r.all(shift.Name+".bias", 3) {
		return false
	}
	shift := &r.nodes[s]
	shift.Op, shift.HardSigmoid = graph.OpHardSigmoid, &graph.HardSigmoid{Alpha: 1. / 6, Beta: 0.5}
	n.Op, n.Clip = graph.OpScale, nil
	gamma, beta := r.weights[shift.Name+".weight"], r.weights[shift.Name+".bias"]
	for k := range gamma.Data().([]float32) {
		gamma.Data().([]float32)[k], beta.Data().([]float32)[k] = 6, 0
	}
	delete(r.weights, shift.Name+".weight")
	delete(r.weights, shift.Name+".bias")
	r.weights[n.Name+".weight"], r.weights[n.Name+".bias"] = gamma, beta
	return true
}

// gated: x·sigmoid(x) and x·hard_sigmoid(x) are swishes, and x·(s·y) = s·(x·y).
func (r *rewriter) gated(i, a, b int) bool {
	n := &r.nodes[i]
	g, only := r.before(i, b)
	if !only {
		return false
	}
	gate := &r.nodes[g]
	switch gate.Op {
	case graph.OpSigmoid, graph.OpHardSigmoid:
		if gate.Inputs[0] != n.Inputs[a] {
			return false
		}
		if gate.Op == graph.OpHardSigmoid && !(near(gate.HardSigmoid.Alpha, 1./6) && near(gate.HardSigmoid.Beta, 0.5)) {
			return false
		}
		n.Op = map[graph.Op]graph.Op{graph.OpSigmoid: graph.OpSiLU, graph.OpHardSigmoid: graph.OpHardSwish}[gate.Op]
		n.Inputs = n.Inputs[a : a+1 : a+1]
		return true
	case graph.OpScale:
		// The scale moves behind the product: its node becomes the product, and this
		// one the scale, so that every name stays where it is read.
		if !r.all(gate.Name+".bias", 0) || !r.gates(gate.Inputs[0], n.Inputs[a]) {
			return false
		}
		w := r.weights.Data(gate.Name + ".weight")
		if slices.ContainsFunc(w, func(v float32) bool { return v != w[0] }) {
			return false
		}
		for _, suffix := range []string{".weight", ".bias"} {
			r.weights[n.Name+suffix] = r.weights[gate.Name+suffix]
			delete(r.weights, gate.Name+suffix)
		}
		product := graph.Node{Name: gate.Name, Op: graph.OpMul, Inputs: []string{n.Inputs[a], gate.Inputs[0]}}
		*n = graph.Node{Name: n.Name, Op: graph.OpScale, Inputs: []string{gate.Name}}
		// the product stands right before its scale, behind all it reads
		r.nodes = slices.Insert(slices.Delete(r.nodes, g, g+1), i-1, product)
		return true
	}
	return false
}

// gates says that a node is a gate made of x alone.
func (r *rewriter) gates(name, x string) bool {
	gate := r.nodes[r.index[name]]
	return (gate.Op == graph.OpSigmoid || gate.Op == graph.OpHardSigmoid) && gate.Inputs[0] == x
}

// all says that every element of a parameter is v.
func (r *rewriter) all(name string, v float32) bool {
	return !slices.ContainsFunc(r.weights.Data(name), func(e float32) bool { return e != v })
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6 }
