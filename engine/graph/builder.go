package graph

// Builder appends nodes one by one. Every method returns the name of the node
// it made, to be used as the input of the next; mistakes surface in Build.
type Builder struct {
	name  string
	nodes []Node
}

// NewBuilder starts a network with an input node called "input".
func NewBuilder(name string, input Shape) *Builder {
	return &Builder{name, []Node{{Name: "input", Op: OpInput, Input: &input}}}
}

// Build validates what was built.
func (b *Builder) Build() (*Graph, error) { return New(b.name, b.nodes) }

// Conv2D adds a convolution; zero stride, dilation and groups mean 1.
func (b *Builder) Conv2D(name, in string, c Conv2D) string {
	c.Groups = max(c.Groups, 1)
	for d := range 2 {
		c.Stride[d] = max(c.Stride[d], 1)
		c.Dilation[d] = max(c.Dilation[d], 1)
	}
	return b.add(Node{Name: name, Op: OpConv2D, Inputs: []string{in}, Conv2D: &c})
}

// Linear adds a fully connected layer with bias.
func (b *Builder) Linear(name, in string, out int) string {
	return b.add(Node{Name: name, Op: OpLinear, Inputs: []string{in}, Linear: &Linear{Out: out, Bias: true}})
}

// BatchNorm adds a batch normalisation with PyTorch's eps 1e-5 and momentum 0.1.
func (b *Builder) BatchNorm(name, in string) string {
	return b.Norm(name, in, BatchNorm{Eps: 1e-5, Momentum: 0.1})
}

// Norm adds a batch normalisation.
func (b *Builder) Norm(name, in string, n BatchNorm) string {
	return b.add(Node{Name: name, Op: OpBatchNorm, Inputs: []string{in}, BatchNorm: &n})
}

// HardSigmoid adds a hard sigmoid with PyTorch's slope 1/6 and offset 1/2.
func (b *Builder) HardSigmoid(name, in string) string {
	return b.add(Node{Name: name, Op: OpHardSigmoid, Inputs: []string{in}, HardSigmoid: &HardSigmoid{Alpha: 1. / 6, Beta: 0.5}})
}

// Clip adds a clip to low..high.
func (b *Builder) Clip(name, in string, low, high float64) string {
	return b.add(Node{Name: name, Op: OpClip, Inputs: []string{in}, Clip: &Clip{low, high}})
}

// Pool adds a max or average pooling; zero stride means the kernel's size.
func (b *Builder) Pool(op Op, name, in string, p Pool) string {
	for d := range 2 {
		if p.Stride[d] == 0 {
			p.Stride[d] = p.Kernel[d]
		}
	}
	return b.add(Node{Name: name, Op: op, Inputs: []string{in}, Pool: &p})
}

// Op adds an operation without attributes: ReLU, Add, Concat, Flatten and their like.
func (b *Builder) Op(op Op, name string, in ...string) string {
	return b.add(Node{Name: name, Op: op, Inputs: in})
}

func (b *Builder) add(n Node) string {
	b.nodes = append(b.nodes, n)
	return n.Name
}
