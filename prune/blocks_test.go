package prune

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// alive marks the nodes on a path from the image to node `to`, without the
// node `but` and without the edge cut[0] → cut[1]; none for neither.
func alive(g *graph.Graph, to, but int, cut [2]int) []bool {
	down, up := make([]bool, g.Len()), make([]bool, g.Len())
	down[0] = but != 0
	for i := 1; i < g.Len(); i++ {
		for _, k := range g.Inputs(i) {
			down[i] = down[i] || i != but && down[k] && cut != [2]int{k, i}
		}
	}
	up[to] = true
	for i := g.Len() - 1; i > 0; i-- {
		for _, k := range g.Inputs(i) {
			up[k] = up[k] || up[i] && i != but && cut != [2]int{k, i}
		}
	}
	for i := range down {
		down[i] = down[i] && up[i]
	}
	return down
}

func layersIn(g *graph.Graph, nodes []int) (n int) {
	for _, i := range nodes {
		if g.Node(i).Conv2D != nil || g.Node(i).Linear != nil {
			n++
		}
	}
	return n
}

// Brute force: the branch of an addition is what dies when its edge is cut; the
// entry is the last node whose loss leaves neither operand a path from the
// image; and a branch can be silenced if it puts out zero when all its weights are.
func TestBlocksAgreeWithDeadCode(t *testing.T) {
	noEdge := [2]int{none, none}
	removable, skipped := 0, 0
	for _, net := range testNets(t, 300) {
		t.Run(net.name, func(t *testing.T) {
			g, r := net.g, randFor(net.name+" blocks")
			c, err := Couple(g)
			require.NoError(t, err)
			w, x := trained(g, r), randomImage(g, r)
			last := g.Len() - 1
			taken := map[int]bool{}
			var want []Block
			for add := range g.Len() {
				if g.Node(add).Op != graph.OpAdd || g.Inputs(add)[0] == g.Inputs(add)[1] {
					continue
				}
				a, b := g.Inputs(add)[0], g.Inputs(add)[1]
				entry := 0
				for d := range add {
					if !alive(g, a, d, noEdge)[0] && !alive(g, b, d, noEdge)[0] {
						entry = d
					}
				}
				path := func(to int) (nodes []int) {
					for i, on := range alive(g, to, none, noEdge) {
						if on && i != entry && alive(g, i, none, noEdge)[entry] && i > entry {
							nodes = append(nodes, i)
						}
					}
					return nodes
				}
				shortcut, exit := a, b
				if layersIn(g, path(a)) > layersIn(g, path(b)) {
					shortcut, exit = b, a
				}
				branch := path(exit)
				var dead []int
				for i, on := range alive(g, last, none, [2]int{exit, add}) {
					if !on {
						dead = append(dead, i)
					}
				}
				near, far := layersIn(g, path(shortcut)), layersIn(g, branch)
				ok := near < far && near <= 1 && slices.Equal(dead, branch)
				for _, i := range branch {
					ok = ok && !taken[i]
				}
				if ok {
					zero := w.Clone()
					for _, i := range branch {
						for _, p := range g.NodeParams(i) {
							if p.Role.Learned() {
								clear(zero.Data(p.Name))
							}
						}
					}
					for _, v := range (interpreter{g: g, w: zero}).run(x)[exit] {
						ok = ok && v == 0
					}
				}
				if !ok {
					skipped++
					continue
				}
				removable++
				block := Block{Entry: g.Node(entry).Name, Add: g.Node(add).Name, Shortcut: g.Node(shortcut).Name}
				for _, i := range append(branch, add) {
					taken[i] = true
					block.Nodes = append(block.Nodes, g.Node(i).Name)
				}
				want = append(want, block)
			}
			require.Len(t, c.Blocks, len(want))
			for i, b := range want {
				have := c.Blocks[i]
				assert.Equal(t, i, have.ID)
				assert.Equal(t, b.Nodes, have.Nodes)
				assert.Equal(t, []string{b.Entry, b.Add, b.Shortcut}, []string{have.Entry, have.Add, have.Shortcut})
				for j := range g.Len() {
					assert.Equal(t, slices.Contains(b.Nodes, g.Node(j).Name), c.BlockOf(j) == i)
				}
			}
		})
	}
	assert.Greater(t, removable, 300, "the random networks should hold many blocks")
	assert.Greater(t, skipped, 100, "and many additions that are none")
}

// Every residual block of the published networks may go, and nothing else.
func TestBlocksOfPublishedNets(t *testing.T) {
	for name, blocks := range map[string]int{
		"resnet18": 8, "resnet34": 16, "resnet50": 16, "resnet101": 33, "resnet152": 50,
		"resnet8-cifar": 3, "resnet20-cifar": 9, "resnet56-cifar": 27,
		"vgg16_bn": 0, "mobilenet_v1": 0, "mobilenet_v2": 10,
	} {
		g, err := nets.Build(name, nets.Options{})
		require.NoError(t, err)
		c, err := Couple(g)
		require.NoError(t, err)
		assert.Len(t, c.Blocks, blocks, name)
	}
	g, err := nets.Build("resnet50", nets.Options{})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	assert.Equal(t, Block{
		ID: 3, Name: "layer2.0", Entry: "layer1.2.relu", Add: "layer2.0.add", Shortcut: "layer2.0.downsample.1",
		Nodes: []string{"layer2.0.conv1", "layer2.0.bn1", "layer2.0.relu1", "layer2.0.conv2", "layer2.0.bn2", "layer2.0.relu2",
			"layer2.0.conv3", "layer2.0.bn3", "layer2.0.add"},
		Layers: []string{"layer2.0.conv1", "layer2.0.conv2", "layer2.0.conv3"},
	}, c.Blocks[3])
}

// The inner sum passes the entry on, whatever the weights: no mask can stand for
// the removal of this branch.
func TestBranchThatCannotBeSilenced(t *testing.T) {
	one := graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}}
	b := graph.NewBuilder("loud", graph.Shape{H: 1, W: 1, C: 2})
	x := b.Conv2D("entry", "input", one)
	a := b.Conv2D("a", x, one)
	inner := b.Op(graph.OpAdd, "inner", a, x)
	c := b.Conv2D("c", a, one)
	b.Op(graph.OpAdd, "outer", b.Op(graph.OpAdd, "branch", c, inner), x)
	g, err := b.Build()
	require.NoError(t, err)
	coupling, err := Couple(g)
	require.NoError(t, err)
	assert.Empty(t, coupling.Blocks)
}

// Doubling a node n times makes 2^n paths; looking for blocks must not walk them.
func TestManyPaths(t *testing.T) {
	b := graph.NewBuilder("doubling", graph.Shape{H: 1, W: 1, C: 2})
	x := b.Conv2D("conv", "input", graph.Conv2D{Out: 2, Kernel: [2]int{1, 1}})
	for range 64 {
		x = b.Op(graph.OpAdd, x+"+", x, x)
	}
	b.Op(graph.OpAdd, "skip", "input", x)
	g, err := b.Build()
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	require.Len(t, c.Blocks, 1)
	assert.Equal(t, "skip", c.Blocks[0].Name)
	assert.True(t, c.Groups[0].Fixed)
}
