package prune

import (
	"slices"
	"strings"

	"mdp/engine/graph"
)

// Block is a residual block that may be removed: its branch and its addition
// go, and whatever read the sum reads the shortcut. A projection on the shortcut
// stays, and so does the activation after the addition.
type Block struct {
	ID       int      `json:"id"`
	Name     string   `json:"name"`
	Nodes    []string `json:"nodes"`           // every node removed with it: the branch, then the addition
	Layers   []string `json:"layers"`          // the convolutions and linear layers among them
	Entry    string   `json:"entry"`           // the node that branch and shortcut start from
	Add      string   `json:"add"`             // the addition
	Shortcut string   `json:"shortcut"`        // the node that takes the addition's place; Entry for an identity
	Fixed    bool     `json:"fixed,omitempty"` // it stays
	FixedWhy string   `json:"fixed_why,omitempty"`
}

// findBlocks looks at every addition. Its operands' nearest common dominator is
// the entry; the operand reached from there through strictly fewer layers, none
// or one, is the shortcut and the other the branch. The branch is removable if
// nothing outside reads its inner nodes and zero weights silence it (a mask can
// stand for its removal). Of nested blocks the innermost is taken, so that no
// node is in two.
func (c *Coupling) findBlocks(g *graph.Graph) {
	c.Blocks = []Block{}
	c.block = slices.Repeat([]int{none}, g.Len())
	idom := dominators(g)
	for add := range g.Len() {
		if g.Node(add).Op != graph.OpAdd {
			continue
		}
		entry := idom[add]
		shortcut, exit := g.Inputs(add)[0], g.Inputs(add)[1]
		branch := between(g, entry, exit)
		near, far := len(layers(g, between(g, entry, shortcut))), len(layers(g, branch))
		if near > far {
			shortcut, exit = exit, shortcut
			branch = between(g, entry, exit)
			near, far = far, near
		}
		if near == far || near > 1 || !c.closed(g, branch, add) {
			continue
		}
		if _, ok := silencers(g, entry, exit); !ok {
			continue
		}
		b := Block{
			ID:       len(c.Blocks),
			Nodes:    append(names(g, branch), g.Node(add).Name),
			Layers:   names(g, layers(g, branch)),
			Entry:    g.Node(entry).Name,
			Add:      g.Node(add).Name,
			Shortcut: g.Node(shortcut).Name,
		}
		b.Name = c.blockName(b)
		c.Blocks = append(c.Blocks, b)
		for _, i := range append(branch, add) {
			c.block[i] = b.ID
		}
	}
}

// dominators returns each node's immediate dominator: the last node that every
// path from the image to it goes through. In topological order one pass of
// Cooper, Harvey and Kennedy's algorithm is enough.
func dominators(g *graph.Graph) []int {
	idom := make([]int, g.Len())
	for i := 1; i < g.Len(); i++ {
		d := g.Inputs(i)[0]
		for _, k := range g.Inputs(i)[1:] {
			for d != k {
				if d > k {
					d = idom[d]
				} else {
					k = idom[k]
				}
			}
		}
		idom[i] = d
	}
	return idom
}

// between returns, in order, the nodes on the paths from entry, which is not
// among them, to exit, which is. entry must dominate exit.
func between(g *graph.Graph, entry, exit int) []int {
	on := map[int]bool{entry: true}
	var path []int
	stack := []int{exit}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !on[i] {
			on[i] = true
			path = append(path, i)
			stack = append(stack, g.Inputs(i)...)
		}
	}
	slices.Sort(path)
	return path
}

// closed says whether the branch is nobody else's: read only by itself and by
// add, and in no block yet.
func (c *Coupling) closed(g *graph.Graph, branch []int, add int) bool {
	for _, i := range branch {
		if c.block[i] != none {
			return false
		}
		for _, k := range g.Consumers(i) {
			if _, inside := slices.BinarySearch(branch, k); !inside && k != add {
				return false
			}
		}
	}
	return true
}

// silencers returns the last nodes with weights on the paths from entry to exit:
// with these at zero the output of exit is zero. It is false when it is not, as
// where a path has none. Of a gate and what it gates, one that is zero is enough.
func silencers(g *graph.Graph, entry, exit int) (last []int, ok bool) {
	zero := map[int]bool{entry: false}
	var silence func(i int) bool
	silence = func(i int) bool {
		if z, seen := zero[i]; seen {
			return z
		}
		if len(g.NodeParams(i)) > 0 {
			last = append(last, i)
			zero[i] = true
			return true
		}
		silent := make([]bool, len(g.Inputs(i)))
		for j, k := range g.Inputs(i) {
			silent[j] = silence(k)
		}
		zero[i] = silences(g.Node(i), silent)
		return zero[i]
	}
	ok = silence(exit)
	return last, ok
}

// layers are the convolutions and linear layers among nodes.
func layers(g *graph.Graph, nodes []int) []int {
	var l []int
	for _, i := range nodes {
		if op := g.Node(i).Op; op == graph.OpConv2D || op == graph.OpLinear {
			l = append(l, i)
		}
	}
	return l
}

func names(g *graph.Graph, nodes []int) []string {
	s := make([]string, len(nodes))
	for j, i := range nodes {
		s[j] = g.Node(i).Name
	}
	return s
}

// blockName is the dotted prefix that the block's nodes share, "layer1.0" for a
// ResNet's first; failing that, or when an earlier block has it, the addition's.
func (c *Coupling) blockName(b Block) string {
	prefix := strings.Split(b.Add, ".")
	for _, name := range b.Nodes {
		parts := strings.Split(name, ".")
		n := 0
		for n < min(len(prefix), len(parts)-1) && prefix[n] == parts[n] {
			n++
		}
		prefix = prefix[:n]
	}
	name := strings.Join(prefix, ".")
	taken := slices.ContainsFunc(c.Blocks, func(o Block) bool { return o.Name == name })
	if name == "" || taken {
		return b.Add
	}
	return name
}
