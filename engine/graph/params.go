package graph

// Role says what a parameter is to its node.
type Role string

// The roles a parameter can have. Running statistics are state, not learned.
const (
	RoleFilter      Role = "filter" // KRSC; a linear layer's is out×in
	RoleBias        Role = "bias"
	RoleGamma       Role = "gamma"
	RoleBeta        Role = "beta"
	RoleRunningMean Role = "running_mean"
	RoleRunningVar  Role = "running_var"
)

// Learned says whether the optimiser updates it.
func (r Role) Learned() bool { return r != RoleRunningMean && r != RoleRunningVar }

// Param is one tensor that a node owns. Names follow PyTorch: a node "bn1" owns
// "bn1.weight", "bn1.bias", "bn1.running_mean" and "bn1.running_var".
type Param struct {
	Name  string
	Node  int
	Role  Role
	Shape []int
}

// Size is the number of elements.
func (p Param) Size() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// Params lists every parameter in node order.
func (g *Graph) Params() []Param {
	var ps []Param
	for i := range g.nodes {
		ps = append(ps, g.NodeParams(i)...)
	}
	return ps
}

// LargestParam is the number of elements of the largest parameter.
func (g *Graph) LargestParam() int {
	n := 0
	for _, p := range g.Params() {
		n = max(n, p.Size())
	}
	return n
}

// NodeParams lists node i's parameters.
func (g *Graph) NodeParams(i int) []Param {
	n := g.nodes[i]
	p := func(suffix string, role Role, shape ...int) Param {
		return Param{n.Name + suffix, i, role, shape}
	}
	var ps []Param
	switch n.Op {
	case OpConv2D:
		c := n.Conv2D
		ps = append(ps, p(".weight", RoleFilter, c.Out, c.Kernel[0], c.Kernel[1], g.shapes[g.inputs[i][0]].C/c.Groups))
		if c.Bias {
			ps = append(ps, p(".bias", RoleBias, c.Out))
		}
	case OpLinear:
		ps = append(ps, p(".weight", RoleFilter, n.Linear.Out, g.shapes[g.inputs[i][0]].C))
		if n.Linear.Bias {
			ps = append(ps, p(".bias", RoleBias, n.Linear.Out))
		}
	case OpScale:
		c := g.shapes[i].C
		ps = append(ps, p(".weight", RoleGamma, c), p(".bias", RoleBeta, c))
	case OpBatchNorm:
		c := g.shapes[i].C
		ps = append(ps,
			p(".weight", RoleGamma, c), p(".bias", RoleBeta, c),
			p(".running_mean", RoleRunningMean, c), p(".running_var", RoleRunningVar, c))
	}
	return ps
}

// ParamCount is the number of learned parameters, as papers count them.
func (g *Graph) ParamCount() int64 {
	var n int64
	for _, p := range g.Params() {
		if p.Role.Learned() {
			n += int64(p.Size())
		}
	}
	return n
}

// MACs is the number of multiply-accumulates of convolutions and linear layers
// for one sample, as papers count them.
func (g *Graph) MACs() int64 {
	var macs int64
	for i, n := range g.nodes {
		switch n.Op {
		case OpConv2D, OpLinear:
			filter := g.NodeParams(i)[0]
			s := g.shapes[i]
			macs += int64(s.H) * int64(s.W) * int64(filter.Size())
		}
	}
	return macs
}
