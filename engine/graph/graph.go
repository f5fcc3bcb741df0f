// Package graph describes a convolutional network as data: nodes with names,
// attributes and shapes. It knows no device and holds no numbers; weights live
// beside it in Weights, keyed by the nodes' names.
//
// A Graph is immutable. It has one input (the image), one output (its last
// node), and its nodes stand in an order in which every node follows its inputs.
package graph

import (
	"fmt"
)

// Op names what a node computes.
type Op string

// The operations a graph may hold. Images are NHWC, filters KRSC.
const (
	OpInput         Op = "input"           // the image
	OpConv2D        Op = "conv2d"          // y[n,p,q,k] = Σ x[n,p·stride+r·dilation−pad, …, c]·w[k,r,s,c] (+ b[k])
	OpLinear        Op = "linear"          // y[n,k] = Σ x[n,c]·w[k,c] (+ b[k])
	OpBatchNorm     Op = "batch_norm"      // y = γ·(x−μ)/√(σ²+ε) + β, per channel
	OpReLU          Op = "relu"            // y = max(x, 0)
	OpReLU6         Op = "relu6"           // y = min(max(x, 0), 6)
	OpSigmoid       Op = "sigmoid"         // y = 1/(1+e^−x)
	OpHardSigmoid   Op = "hard_sigmoid"    // y = min(max(αx + β, 0), 1)
	OpHardSwish     Op = "hard_swish"      // y = x·min(max(x/6 + 1/2, 0), 1)
	OpSiLU          Op = "silu"            // y = x/(1+e^−x), also called Swish
	OpClip          Op = "clip"            // y = min(max(x, low), high)
	OpAdd           Op = "add"             // y = a + b, equal shapes
	OpMul           Op = "mul"             // y = a·b, equal shapes or one of them 1×1×C, which gates every pixel of the other
	OpConcat        Op = "concat"          // the inputs' channels side by side, equal heights and widths
	OpScale         Op = "scale"           // y = γ·x + β, per channel
	OpMaxPool       Op = "max_pool"        // maximum over a window; padding never wins
	OpAvgPool       Op = "avg_pool"        // mean over a window
	OpGlobalAvgPool Op = "global_avg_pool" // mean over H and W
	OpFlatten       Op = "flatten"         // H×W×C → 1×1×HWC, in that order
	OpSoftmax       Op = "softmax"         // y = e^x / Σ e^x over the channels of a pixel; inference only
	OpSoftmaxLoss   Op = "softmax_loss"    // mean cross-entropy of softmax(x) against the labels, smoothed
)

// Shape of one sample: height, width, channels. The batch is chosen when a
// program is compiled. A vector of n features is 1×1×n.
type Shape struct {
	H int `json:"h"`
	W int `json:"w"`
	C int `json:"c"`
}

// Size is the number of elements of one sample.
func (s Shape) Size() int { return s.H * s.W * s.C }

func (s Shape) String() string { return fmt.Sprintf("%d×%d×%d", s.H, s.W, s.C) }

// Conv2D are the attributes of a convolution. Pad is top, left, bottom, right.
type Conv2D struct {
	Out      int    `json:"out"`
	Kernel   [2]int `json:"kernel"`
	Stride   [2]int `json:"stride"`
	Pad      [4]int `json:"pad"`
	Dilation [2]int `json:"dilation"`
	Groups   int    `json:"groups"`
	Bias     bool   `json:"bias,omitempty"`
}

// Linear are the attributes of a fully connected layer.
type Linear struct {
	Out  int  `json:"out"`
	Bias bool `json:"bias,omitempty"`
}

// BatchNorm are the attributes of a batch normalisation. Momentum is the weight
// of the newest batch in the running statistics.
type BatchNorm struct {
	Eps      float64 `json:"eps"`
	Momentum float64 `json:"momentum"`
}

// HardSigmoid are the slope and the offset of a hard sigmoid: 1/6 and 1/2 in
// PyTorch, 1/5 and 1/2 unless an ONNX node says otherwise.
type HardSigmoid struct {
	Alpha float64 `json:"alpha"`
	Beta  float64 `json:"beta"`
}

// Clip are the bounds of a clip.
type Clip struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Pool are the attributes of a pooling window. Pad is top, left, bottom, right.
// CountPad says whether an average divides by the whole window at the border.
// An output size rounded up is more padding below and to the right.
type Pool struct {
	Kernel   [2]int `json:"kernel"`
	Stride   [2]int `json:"stride"`
	Pad      [4]int `json:"pad"`
	CountPad bool   `json:"count_pad,omitempty"`
}

// SoftmaxLoss are the attributes of the loss: the label's target probability is
// 1−s+s/classes, every other class's s/classes, with s = LabelSmoothing.
type SoftmaxLoss struct {
	LabelSmoothing float64 `json:"label_smoothing"`
}

// Node is one operation. Exactly the attribute its Op calls for is set.
type Node struct {
	Name        string       `json:"name"`
	Op          Op           `json:"op"`
	Inputs      []string     `json:"inputs,omitempty"`
	Input       *Shape       `json:"input,omitempty"`
	Conv2D      *Conv2D      `json:"conv2d,omitempty"`
	Linear      *Linear      `json:"linear,omitempty"`
	BatchNorm   *BatchNorm   `json:"batch_norm,omitempty"`
	HardSigmoid *HardSigmoid `json:"hard_sigmoid,omitempty"`
	Clip        *Clip        `json:"clip,omitempty"`
	Pool        *Pool        `json:"pool,omitempty"`
	SoftmaxLoss *SoftmaxLoss `json:"softmax_loss,omitempty"`
}

// Graph is a validated network. Use New, Builder or Read to make one.
type Graph struct {
	name      string
	nodes     []Node
	shapes    []Shape
	inputs    [][]int
	consumers [][]int
	index     map[string]int
}

// New checks the nodes, infers every shape, and returns the graph. Its errors
// name the node and the shapes in the way.
func New(name string, nodes []Node) (*Graph, error) {
	g := &Graph{
		name:      name,
		nodes:     make([]Node, len(nodes)),
		shapes:    make([]Shape, len(nodes)),
		inputs:    make([][]int, len(nodes)),
		consumers: make([][]int, len(nodes)),
		index:     make(map[string]int, len(nodes)),
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("graph %q has no nodes", name)
	}
	for i, n := range nodes {
		if err := g.add(i, n.clone()); err != nil {
			return nil, fmt.Errorf("graph %q: node %d %q (%s): %w", name, i, n.Name, n.Op, err)
		}
	}
	for i := range g.nodes[:len(nodes)-1] {
		if len(g.consumers[i]) == 0 {
			return nil, fmt.Errorf("graph %q: node %d %q (%s): nothing uses its output, and it is not the last node", name, i, g.nodes[i].Name, g.nodes[i].Op)
		}
	}
	return g, nil
}

func (g *Graph) add(i int, n Node) error {
	if n.Name == "" {
		return fmt.Errorf("a node needs a name")
	}
	if _, ok := g.index[n.Name]; ok {
		return fmt.Errorf("the name is taken by an earlier node")
	}
	if (n.Op == OpInput) != (i == 0) {
		return fmt.Errorf("the input must be the first node, and only that")
	}
	in := make([]Shape, len(n.Inputs))
	g.inputs[i] = make([]int, len(n.Inputs))
	for j, name := range n.Inputs {
		k, ok := g.index[name]
		if !ok {
			return fmt.Errorf("input %q is not an earlier node", name)
		}
		if g.nodes[k].Op == OpSoftmaxLoss {
			return fmt.Errorf("input %q is the loss, which must be the last node", name)
		}
		in[j] = g.shapes[k]
		g.inputs[i][j] = k
		g.consumers[k] = append(g.consumers[k], i)
	}
	shape, err := Infer(n, in)
	if err != nil {
		return err
	}
	g.nodes[i], g.shapes[i], g.index[n.Name] = n, shape, i
	return nil
}

// Name of the network, such as "resnet50".
func (g *Graph) Name() string { return g.name }

// Len is the number of nodes, the input among them.
func (g *Graph) Len() int { return len(g.nodes) }

// Node i, to be read only.
func (g *Graph) Node(i int) Node { return g.nodes[i] }

// Nodes returns a copy of every node, for building another graph from this one.
func (g *Graph) Nodes() []Node {
	nodes := make([]Node, len(g.nodes))
	for i, n := range g.nodes {
		nodes[i] = n.clone()
	}
	return nodes
}

// Index of the node called name, or false.
func (g *Graph) Index(name string) (int, bool) {
	i, ok := g.index[name]
	return i, ok
}

// Shape of node i's output for one sample.
func (g *Graph) Shape(i int) Shape { return g.shapes[i] }

// Inputs are the indices of the nodes that node i reads, to be read only.
func (g *Graph) Inputs(i int) []int { return g.inputs[i] }

// Consumers are the indices of the nodes that read node i, to be read only. A
// node that reads it twice stands there twice.
func (g *Graph) Consumers(i int) []int { return g.consumers[i] }

// WithLoss returns the graph ending in a softmax cross-entropy loss called
// "loss", in place of the loss it may already end in.
func (g *Graph) WithLoss(labelSmoothing float64) (*Graph, error) {
	g, err := g.WithoutLoss()
	if err != nil {
		return nil, err
	}
	return New(g.name, append(g.Nodes(), Node{
		Name: "loss", Op: OpSoftmaxLoss, Inputs: []string{g.nodes[len(g.nodes)-1].Name},
		SoftmaxLoss: &SoftmaxLoss{LabelSmoothing: labelSmoothing},
	}))
}

// WithoutLoss returns the graph ending in its logits.
func (g *Graph) WithoutLoss() (*Graph, error) {
	if g.nodes[len(g.nodes)-1].Op != OpSoftmaxLoss {
		return g, nil
	}
	return New(g.name, g.Nodes()[:len(g.nodes)-1])
}

func (n Node) clone() Node {
	n.Inputs = append([]string(nil), n.Inputs...)
	n.Input = clone(n.Input)
	n.Conv2D = clone(n.Conv2D)
	n.Linear = clone(n.Linear)
	n.BatchNorm = clone(n.BatchNorm)
	n.HardSigmoid = clone(n.HardSigmoid)
	n.Clip = clone(n.Clip)
	n.Pool = clone(n.Pool)
	n.SoftmaxLoss = clone(n.SoftmaxLoss)
	return n
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
