package prune

import (
	"fmt"
	"slices"

	"mdp/engine/graph"
)

// sets are the channel sets while the graph is walked: a union-find forest.
type sets struct {
	of       [][]int // sets of each node's output, as Coupling.out has groups
	silent   []bool  // node → zero weights in what makes a channel make it zero there
	parent   []int
	channels []int
	unit     []int    // channels that go together
	why      []string // why a root is fixed, or ""
}

// visit gives node i its sets; its inputs have theirs.
func (s *sets) visit(g *graph.Graph, i int) {
	n := g.Node(i)
	in, silent := make([][]int, len(g.Inputs(i))), make([]bool, len(g.Inputs(i)))
	for j, k := range g.Inputs(i) {
		in[j], silent[j] = s.of[k], s.silent[k]
	}
	s.silent[i] = silences(n, silent)
	switch {
	case n.Op == graph.OpInput:
		s.of[i] = []int{s.add(g.Shape(i).C)}
		s.fix(s.of[i], "the image's channels")
	case n.Op == graph.OpSoftmaxLoss:
		s.fix(in[0], "the network's output")
	case passed(g, i) > 0:
		s.of[i] = in[0]
		s.together(in[0], passed(g, i), n.Name)
	case n.Op == graph.OpConv2D || n.Op == graph.OpLinear:
		s.of[i] = []int{s.add(g.Shape(i).C)}
		if n.Conv2D != nil && n.Conv2D.Groups > 1 {
			why := fmt.Sprintf("convolution %s has %d groups, and not as many channels out as in", n.Name, n.Conv2D.Groups)
			s.fix(in[0], why)
			s.fix(s.of[i], why)
		}
		if !silent[0] {
			s.fix(in[0], fmt.Sprintf("%s reads channels that no weights make zero", n.Name))
		}
	case n.Op == graph.OpAdd || n.Op == graph.OpMul:
		s.of[i] = s.union(in[0], in[1], n.Name)
	case n.Op == graph.OpConcat:
		for j, k := range g.Inputs(i) {
			for features := 0; features < g.Shape(k).C; { // of every position
				for _, a := range in[j] {
					s.of[i] = append(s.of[i], a)
					features += s.channels[a]
				}
			}
		}
	case n.Op == graph.OpSoftmax:
		s.of[i] = in[0]
		s.fix(in[0], fmt.Sprintf("softmax %s is over all channels", n.Name))
	default:
		s.of[i] = in[0]
	}
}

// silences says whether a channel of node n is zero when the weights that make
// it are; silent says that of its inputs.
func silences(n graph.Node, silent []bool) bool {
	all := !slices.Contains(silent, false)
	switch n.Op {
	case graph.OpInput, graph.OpConv2D, graph.OpLinear, graph.OpBatchNorm, graph.OpScale:
		return true
	case graph.OpMul:
		return slices.Contains(silent, true)
	case graph.OpSigmoid, graph.OpSoftmax:
		return false
	case graph.OpHardSigmoid:
		return all && n.HardSigmoid.Beta <= 0
	case graph.OpClip:
		return all && n.Clip.Low <= 0 && n.Clip.High >= 0
	}
	return all
}

func (s *sets) add(channels int) int {
	s.parent = append(s.parent, len(s.parent))
	s.channels = append(s.channels, channels)
	s.unit = append(s.unit, 1)
	s.why = append(s.why, "")
	return len(s.parent) - 1
}

func (s *sets) root(a int) int {
	for s.parent[a] != a {
		s.parent[a] = s.parent[s.parent[a]]
		a = s.parent[a]
	}
	return a
}

// group is a root's set as a group.
func (s *sets) group(root, id int) Group {
	g := Group{ID: id, Channels: s.channels[root], Fixed: s.why[root] != "", FixedWhy: s.why[root]}
	if s.unit[root] > 1 {
		g.Unit = s.unit[root]
	}
	return g
}

func (s *sets) fix(all []int, why string) {
	for _, a := range all {
		if a = s.root(a); s.why[a] == "" {
			s.why[a] = why
		}
	}
}

// together ties every width channels side by side. Where that would tie channels
// of different sets, they stay whole.
func (s *sets) together(all []int, width int, name string) {
	for _, a := range all {
		if s.channels[a]%width != 0 {
			s.fix(all, fmt.Sprintf("a group of convolution %s reaches over channels of different origin", name))
			return
		}
	}
	for _, a := range all {
		a = s.root(a)
		s.unit[a] = lcm(s.unit[a], width)
	}
}

// union makes the operands of an addition or a multiplication the same sets. A
// flattened image and a vector of as many features have no channel in common,
// and neither have a concatenation and what is not one: all of it stays whole.
func (s *sets) union(a, b []int, name string) []int {
	if !slices.EqualFunc(a, b, func(a, b int) bool { return s.channels[a] == s.channels[b] }) {
		why := fmt.Sprintf("%s joins features of %s and of %s channels", name, s.widths(a), s.widths(b))
		s.fix(a, why)
		s.fix(b, why)
		return a
	}
	for j := range a {
		s.join(s.root(a[j]), s.root(b[j]))
	}
	return a
}

func (s *sets) join(a, b int) {
	if why := s.why[b]; why != "" {
		s.fix([]int{a}, why)
	}
	s.unit[a] = lcm(s.unit[a], s.unit[b])
	s.parent[b] = a
}

// widths tells a few sets' channels, such as 64+32+32.
func (s *sets) widths(all []int) string {
	text := fmt.Sprint(s.channels[all[0]])
	for j, a := range all[1:] {
		if j == 3 {
			return text + "+…"
		}
		text += fmt.Sprintf("+%d", s.channels[a])
	}
	return text
}

func lcm(a, b int) int {
	g, r := a, b
	for r != 0 {
		g, r = r, g%r
	}
	return a / g * b
}
