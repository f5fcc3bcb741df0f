package prune

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// testNet is a network small enough to interpret.
type testNet struct {
	name string
	g    *graph.Graph
}

// testNets are every published network at a small size, and n random ones.
func testNets(t testing.TB, n int) []testNet {
	var all []testNet
	for _, info := range nets.List() {
		g, err := nets.Build(info.Name, nets.Options{Classes: 5, Input: graph.Shape{H: 32, W: 32, C: 3}, Width: 1. / 16})
		require.NoError(t, err)
		all = append(all, testNet{info.Name, g})
	}
	for i := range n {
		name := fmt.Sprintf("random-%d", i)
		all = append(all, testNet{name, randomNet(t, name)})
	}
	return all
}

// sketch grows a random network from its head; it knows every node's shape, so
// that it can add what may be added.
type sketch struct {
	*graph.Builder
	r     *rand.Rand
	head  string
	shape map[string]graph.Shape
	count int
}

// randomNet draws a network with every operation: plain and residual stretches,
// long skips over them, nested and unremovable branches, depthwise and grouped
// convolutions, and one of several heads.
func randomNet(t testing.TB, name string) *graph.Graph {
	r := randFor(name)
	image := graph.Shape{H: 5 + r.IntN(6), W: 5 + r.IntN(6), C: 1 + r.IntN(3)}
	s := &sketch{Builder: graph.NewBuilder(name, image), r: r, head: "input", shape: map[string]graph.Shape{"input": image}}
	s.conv(2+2*r.IntN(3), 1)
	trunk := []string{s.head}
	for range 3 + r.IntN(7) {
		switch r.IntN(13) {
		case 0:
			s.conv(2+2*r.IntN(3), 1+r.IntN(2))
		case 1:
			s.window()
		case 2:
			s.depthwise()
		case 3:
			s.grouped()
		case 4: // a skip from anywhere of this shape, over whatever is between
			like := slices.DeleteFunc(slices.Clone(trunk), func(n string) bool { return s.shape[n] != s.shape[s.head] })
			if len(like) > 0 {
				s.op(graph.OpAdd, s.head, like[r.IntN(len(like))])
			}
		case 5:
			s.norm()
		case 6:
			s.excite()
		case 7:
			s.dense()
		case 8: // beside anything of this height and width
			beside := slices.DeleteFunc(slices.Clone(trunk), func(n string) bool {
				a, b := s.shape[n], s.shape[s.head]
				return a.H != b.H || a.W != b.W || a.C+b.C > 24
			})
			if len(beside) > 0 {
				s.concat(s.head, beside[r.IntN(len(beside))])
			}
		default:
			s.residual(2, 1+r.IntN(2))
		}
		if r.IntN(2) == 0 {
			s.act()
		}
		trunk = append(trunk, s.head)
	}
	s.finish()
	g, err := s.Build()
	require.NoError(t, err)
	return g
}

func (s *sketch) name(op string) string {
	s.count++
	return fmt.Sprintf("%s%d", op, s.count)
}

func (s *sketch) grew(node string, shape graph.Shape) {
	s.head = node
	s.shape[node] = shape
}

func (s *sketch) op(op graph.Op, in ...string) {
	s.grew(s.Op(op, s.name(string(op)), in...), s.shape[in[0]])
}

// conv is a 3×3 or 1×1 convolution, with batch norm more often than not.
func (s *sketch) conv(out, stride int) {
	s.conv2d(graph.Conv2D{Out: out, Groups: 1, Bias: s.r.IntN(2) == 0}, stride)
	if s.r.IntN(3) > 0 {
		s.norm()
	}
}

func (s *sketch) conv2d(c graph.Conv2D, stride int) {
	in := s.shape[s.head]
	c.Kernel, c.Stride = [2]int{1, 1}, [2]int{stride, stride}
	if s.r.IntN(2) == 0 {
		c.Kernel, c.Pad = [2]int{3, 3}, [4]int{1, 1, 1, 1}
	}
	s.grew(s.Conv2D(s.name("conv"), s.head, c), graph.Shape{H: (in.H-1)/stride + 1, W: (in.W-1)/stride + 1, C: c.Out})
}

func (s *sketch) norm() { s.grew(s.BatchNorm(s.name("bn"), s.head), s.shape[s.head]) }

func (s *sketch) act() {
	switch s.r.IntN(6) {
	case 0:
		s.grew(s.Clip(s.name("clip"), s.head, -1, 2), s.shape[s.head])
	case 1:
		s.op(graph.OpScale, s.head)
	default:
		s.op([]graph.Op{graph.OpReLU, graph.OpReLU6, graph.OpHardSwish, graph.OpSiLU}[s.r.IntN(4)], s.head)
	}
}

// excite gates the head with what a squeeze of it says.
func (s *sketch) excite() {
	x := s.head
	s.grew(s.Op(graph.OpGlobalAvgPool, s.name("squeeze"), x), graph.Shape{H: 1, W: 1, C: s.shape[x].C})
	s.conv2d(graph.Conv2D{Out: 2 + s.r.IntN(3), Bias: s.r.IntN(2) == 0}, 1)
	s.act()
	s.conv2d(graph.Conv2D{Out: s.shape[x].C, Bias: s.r.IntN(2) == 0}, 1)
	if s.r.IntN(2) == 0 {
		s.op(graph.OpSigmoid, s.head)
	} else {
		s.grew(s.HardSigmoid(s.name("gate"), s.head), s.shape[s.head])
	}
	operands := []string{x, s.head}
	s.r.Shuffle(2, func(i, j int) { operands[i], operands[j] = operands[j], operands[i] })
	gated := s.shape[x]
	s.grew(s.Op(graph.OpMul, s.name("mul"), operands...), gated)
}

// dense are one or two layers that each read everything before them.
func (s *sketch) dense() {
	parts := []string{s.head}
	for range 1 + s.r.IntN(2) {
		if s.r.IntN(2) == 0 {
			s.norm()
			s.act()
		}
		s.conv(2+2*s.r.IntN(2), 1)
		parts = append(parts, s.head)
		s.concat(parts...)
	}
}

func (s *sketch) concat(parts ...string) {
	out := s.shape[parts[0]]
	for _, p := range parts[1:] {
		out.C += s.shape[p].C
	}
	s.grew(s.Op(graph.OpConcat, s.name("concat"), parts...), out)
}

func (s *sketch) depthwise() {
	c := s.shape[s.head].C
	s.conv2d(graph.Conv2D{Out: c, Groups: c, Bias: s.r.IntN(2) == 0}, 1)
	if s.r.IntN(2) == 0 {
		s.norm()
	}
}

func (s *sketch) grouped() {
	c := s.shape[s.head].C
	switch {
	case c%2 > 0 || c == 2:
	case s.r.IntN(3) == 0:
		s.conv2d(graph.Conv2D{Out: 2 * (1 + s.r.IntN(3)), Groups: 2}, 1)
	default: // as many channels out as in, two or half of them to a group
		s.conv2d(graph.Conv2D{Out: c, Groups: []int{2, c / 2}[s.r.IntN(2)], Bias: s.r.IntN(2) == 0}, 1)
	}
}

// window is a pooling that keeps the extents.
func (s *sketch) window() {
	op := []graph.Op{graph.OpMaxPool, graph.OpAvgPool}[s.r.IntN(2)]
	s.grew(s.Pool(op, s.name("pool"), s.head, graph.Pool{
		Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}, CountPad: s.r.IntN(2) == 0,
	}), s.shape[s.head])
}

// residual adds a branch to a shortcut: usually the head itself, sometimes a
// projection of it with this stride, sometimes what makes it unremovable. Up to
// depth more blocks nest in its branch.
func (s *sketch) residual(depth, stride int) {
	entry, out := s.head, s.shape[s.head].C
	project := s.r.IntN(3) == 0
	if project {
		out = 2 + 2*s.r.IntN(3)
	} else {
		stride = 1
	}
	if s.r.IntN(4) == 0 { // pre-activation
		s.norm()
		s.act()
	}
	left := stride // for the branch's last convolution
	if s.r.IntN(6) > 0 {
		s.conv(2+2*s.r.IntN(2), stride)
		if s.r.IntN(2) == 0 {
			s.act()
		}
		left = 1
	}
	if s.r.IntN(4) == 0 {
		s.depthwise()
	}
	if depth > 0 && s.r.IntN(4) == 0 {
		s.residual(depth-1, 1)
	}
	if s.r.IntN(5) > 0 {
		s.conv(out, left)
	} else {
		s.conv2d(graph.Conv2D{Out: out, Groups: 1}, left)
	}
	switch s.r.IntN(8) {
	case 0:
		s.act()
	case 1:
		s.window()
	}
	exit := s.head
	s.head = entry
	if project {
		s.conv(out, stride)
		if s.r.IntN(6) == 0 {
			s.conv(out, 1)
		}
	} else if s.r.IntN(6) == 0 {
		s.act()
	}
	operands := []string{exit, s.head}
	s.r.Shuffle(2, func(i, j int) { operands[i], operands[j] = operands[j], operands[i] })
	s.op(graph.OpAdd, operands...)
}

func (s *sketch) finish() {
	flat := func() {
		n := s.shape[s.head].Size()
		s.grew(s.Op(graph.OpFlatten, s.name("flatten"), s.head), graph.Shape{H: 1, W: 1, C: n})
	}
	linear := func(out int) {
		s.grew(s.Linear(s.name("fc"), s.head, out), graph.Shape{H: 1, W: 1, C: out})
	}
	switch s.r.IntN(6) {
	case 5: // a mean beside every pixel, and probabilities
		image := s.head
		flat()
		pixels := s.head
		s.grew(s.Op(graph.OpGlobalAvgPool, s.name("gap"), image), graph.Shape{H: 1, W: 1, C: s.shape[image].C})
		s.concat(pixels, s.head)
		linear(3)
		s.op(graph.OpSoftmax, s.head)
	case 0:
		s.grew(s.Op(graph.OpGlobalAvgPool, s.name("gap"), s.head), graph.Shape{H: 1, W: 1, C: s.shape[s.head].C})
		linear(3)
	case 1:
		flat()
		s.norm()
		linear(4)
		s.act()
		linear(3)
	case 2: // features of the image and of a vector, added
		flat()
		image := s.head
		linear(s.shape[image].C)
		s.op(graph.OpAdd, s.head, image)
		linear(3)
	case 3: // two flattened images, added
		trunk := s.head
		flat()
		image := s.head
		s.head = trunk
		s.conv(s.shape[trunk].C, 1)
		flat()
		s.op(graph.OpAdd, image, s.head)
		linear(3)
	case 4: // ends in whatever stands last
	}
}
