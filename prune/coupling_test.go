package prune

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// channel is output channel c of node source.
type channel struct{ source, c int }

// mixes says whether a node makes each output of many inputs, so that its
// output channels have nothing to do with its input channels.
func mixes(g *graph.Graph, i int) bool {
	n := g.Node(i)
	return n.Op == graph.OpLinear || n.Op == graph.OpConv2D && (n.Conv2D.Groups == 1 || n.Conv2D.Out != g.Shape(g.Inputs(i)[0]).C)
}

// touched perturbs one channel of a source and returns, per node, the channels
// whose values change while every mixing node's output is held. Activations
// leak, so that none hides a change; noise of both signs at every position.
func touched(n interpreter, base [][]float64, p channel, noise []float64) map[int]map[int]bool {
	hit := map[int]map[int]bool{}
	outs := slices.Clone(base)
	note := func(i int, y []float64) {
		channels := n.g.Shape(i).C
		for j, v := range y {
			if v != base[i][j] {
				if hit[i] == nil {
					hit[i] = map[int]bool{}
				}
				hit[i][j%channels] = true
			}
		}
		if hit[i] != nil {
			outs[i] = y
		}
	}
	y, channels := slices.Clone(base[p.source]), n.g.Shape(p.source).C
	scale := 1.0
	for _, v := range y {
		scale = max(scale, v, -v)
	}
	for j := p.c; j < len(y); j += channels {
		y[j] += scale * noise[j%len(noise)]
	}
	note(p.source, y)
	for i := p.source + 1; i < n.g.Len(); i++ {
		reads := slices.ContainsFunc(n.g.Inputs(i), func(k int) bool { return hit[k] != nil })
		if reads && !mixes(n.g, i) {
			note(i, n.node(i, outs))
		}
	}
	return hit
}

// Brute force: perturb every channel of everything that starts channels, and
// call two of them coupled when they change the same value somewhere. Groups
// must be exactly these classes, and fixed exactly where a class has a reason.
func TestCoupleAgreesWithPerturbation(t *testing.T) {
	for _, net := range testNets(t, 150) {
		t.Run(net.name, func(t *testing.T) {
			g, r := net.g, randFor(net.name+" perturbed")
			c, err := Couple(g)
			require.NoError(t, err)
			n := interpreter{g, trained(g, r), 0.25}
			base := n.run(randomImage(g, r))
			noise := make([]float64, 61)
			for i := range noise {
				noise[i] = (0.5 + r.Float64()) * float64(1-2*(i&1))
			}

			type feature struct{ node, c int }
			var all []channel
			reach := map[channel][]feature{}
			by := map[feature][]channel{}
			for i := range g.Len() {
				if i > 0 && !mixes(g, i) {
					continue
				}
				for k := range g.Shape(i).C {
					p := channel{i, k}
					all = append(all, p)
					for node, hit := range touched(n, base, p, noise) {
						for k := range hit {
							reach[p] = append(reach[p], feature{node, k})
							by[feature{node, k}] = append(by[feature{node, k}], p)
						}
					}
				}
			}

			// classes by flooding from each channel
			class := map[channel]int{}
			var classes [][]channel
			for _, p := range all {
				if _, ok := class[p]; ok {
					continue
				}
				id := len(classes)
				class[p] = id
				members := []channel{p}
				for at := 0; at < len(members); at++ {
					for _, f := range reach[members[at]] {
						for _, q := range by[f] {
							if _, ok := class[q]; !ok {
								class[q] = id
								members = append(members, q)
							}
						}
					}
				}
				classes = append(classes, members)
			}

			// a class is fixed if it holds the image, is read by or comes out of a
			// grouped convolution that mixes, is the output, or ties different channels
			grouped := func(i int) bool { return mixes(g, i) && g.Node(i).Op == graph.OpConv2D && g.Node(i).Conv2D.Groups > 1 }
			fixed := make([]bool, len(c.Groups))
			for _, members := range classes {
				whole := !aligned(members)
				for _, p := range members {
					whole = whole || p.source == 0 || grouped(p.source) || g.Shape(p.source).C != g.Shape(members[0].source).C
					for _, f := range reach[p] {
						whole = whole || f.node == g.Len()-1 || slices.ContainsFunc(g.Consumers(f.node), grouped)
					}
				}
				for _, p := range members {
					fixed[c.OutGroup(p.source)] = fixed[c.OutGroup(p.source)] || whole
				}
			}
			for i, gr := range c.Groups {
				assert.Equal(t, fixed[i], gr.Fixed, "group %+v", gr)
				assert.Equal(t, gr.Fixed, gr.FixedWhy != "", "group %+v", gr)
			}

			// a free class is one unit of one group, whole
			for _, members := range classes {
				group, k := c.OutGroup(members[0].source), members[0].c
				unit := c.Groups[group].unit()
				if c.Groups[group].Fixed {
					continue
				}
				want := map[int]map[int]bool{} // what the coupling says goes with it
				ch := Full(c)
				ch.Keep[group] = slices.Delete(ch.Keep[group], k/unit*unit, k/unit*unit+unit)
				for i := range g.Len() {
					if !slices.Contains(c.Out(i), group) {
						continue
					}
					want[i] = map[int]bool{}
					rest := c.Kept(ch, i)
					for _, f := range c.Kept(Full(c), i) {
						if _, stays := slices.BinarySearch(rest, f); !stays {
							want[i][f] = true
						}
					}
				}
				have := map[int]map[int]bool{}
				for _, p := range members {
					for _, f := range reach[p] {
						if have[f.node] == nil {
							have[f.node] = map[int]bool{}
						}
						have[f.node][f.c] = true
					}
				}
				require.Equal(t, want, have, "group %+v channel %d", c.Groups[group], k)
			}
			assertMembers(t, g, c)
		})
	}
}

// aligned says whether the channels that members have of each source are one and
// the same run, which starts at a multiple of its length.
func aligned(members []channel) bool {
	runs := map[int][]int{}
	for _, p := range members {
		runs[p.source] = append(runs[p.source], p.c)
	}
	first := runs[members[0].source]
	slices.Sort(first)
	for _, run := range runs {
		slices.Sort(run)
		if !slices.Equal(run, first) {
			return false
		}
	}
	return first[0]%len(first) == 0 && first[len(first)-1] == first[0]+len(first)-1
}

// assertMembers checks that each layer is listed where its channels are.
func assertMembers(t *testing.T, g *graph.Graph, c *Coupling) {
	want := make([]Group, len(c.Groups))
	for i, gr := range c.Groups {
		want[i] = Group{ID: i, Channels: gr.Channels, Unit: gr.Unit, Fixed: gr.Fixed, FixedWhy: gr.FixedWhy}
	}
	for i := range g.Len() {
		name := g.Node(i).Name
		switch {
		case mixes(g, i):
			p := &want[c.OutGroup(i)]
			p.Producers = append(p.Producers, name)
			for _, id := range distinct(c.Out(g.Inputs(i)[0])) {
				want[id].Consumers = append(want[id].Consumers, name)
			}
		case g.Node(i).Op == graph.OpConv2D:
			for _, id := range distinct(c.Out(i)) {
				want[id].Depthwise = append(want[id].Depthwise, name)
			}
		case g.Node(i).Op == graph.OpBatchNorm:
			for _, id := range distinct(c.Out(i)) {
				want[id].Norms = append(want[id].Norms, name)
			}
		}
	}
	assert.Equal(t, want, c.Groups)
}

func TestLossChangesNothing(t *testing.T) {
	for _, net := range testNets(t, 0) {
		c, err := Couple(net.g)
		require.NoError(t, err)
		g, err := net.g.WithLoss(0.1)
		require.NoError(t, err)
		l, err := Couple(g)
		require.NoError(t, err)
		assert.Equal(t, c.Groups, l.Groups, net.name)
		assert.Equal(t, c.Blocks, l.Blocks, net.name)
		assert.Equal(t, -1, l.OutGroup(g.Len()-1))
		assert.Error(t, l.Fix("loss", "why not"))
	}
}

func TestFix(t *testing.T) {
	g, err := nets.Build("resnet14-cifar", nets.Options{})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	for _, first := range c.Groups[0].Consumers {
		require.NoError(t, c.Fix(first, "first convolution"))
	}
	require.NoError(t, c.Fix("layer2.1.conv1", "asked for"))
	require.NoError(t, c.Fix("fc", "asked for"))
	assert.ErrorContains(t, c.Fix("layer9", "asked for"), "layer9")

	var groups, blocks []string
	for _, gr := range c.Groups {
		if gr.Fixed {
			groups = append(groups, gr.FixedWhy)
		}
	}
	for _, b := range c.Blocks {
		if b.Fixed {
			blocks = append(blocks, b.Name+": "+b.FixedWhy)
		}
	}
	assert.Equal(t, []string{"the image's channels", "first convolution", "asked for", "the network's output"}, groups)
	assert.Equal(t, []string{"layer2.1: asked for"}, blocks)
}

func TestNothingToPrune(t *testing.T) {
	b := graph.NewBuilder("bare", graph.Shape{H: 2, W: 2, C: 3})
	b.Op(graph.OpReLU, "relu", "input")
	g, err := b.Build()
	require.NoError(t, err)
	_, err = Couple(g)
	assert.ErrorContains(t, err, "nothing to prune")
}

// What no weights make zero stays whole where a layer reads it, and not where it
// gates what they do make zero.
func TestSigmoidsAreNotSilenced(t *testing.T) {
	one := func(out int) graph.Conv2D { return graph.Conv2D{Out: out, Kernel: [2]int{1, 1}} }
	for name, c := range map[string]struct {
		act   func(b *graph.Builder, x string) string
		fixed bool
	}{
		"relu":              {func(b *graph.Builder, x string) string { return b.Op(graph.OpReLU, "act", x) }, false},
		"silu":              {func(b *graph.Builder, x string) string { return b.Op(graph.OpSiLU, "act", x) }, false},
		"sigmoid":           {func(b *graph.Builder, x string) string { return b.Op(graph.OpSigmoid, "act", x) }, true},
		"hard sigmoid":      {func(b *graph.Builder, x string) string { return b.HardSigmoid("act", x) }, true},
		"clip around zero":  {func(b *graph.Builder, x string) string { return b.Clip("act", x, -1, 0) }, false},
		"clip above zero":   {func(b *graph.Builder, x string) string { return b.Clip("act", x, 1, 2) }, true},
		"softmax":           {func(b *graph.Builder, x string) string { return b.Op(graph.OpSoftmax, "act", x) }, true},
		"norm of a sigmoid": {func(b *graph.Builder, x string) string { return b.BatchNorm("bn", b.Op(graph.OpSigmoid, "act", x)) }, false},
		"sum with a sigmoid": {func(b *graph.Builder, x string) string {
			return b.Op(graph.OpAdd, "add", x, b.Op(graph.OpSigmoid, "act", x))
		}, true},
		"sigmoid as a gate": {func(b *graph.Builder, x string) string {
			return b.Op(graph.OpMul, "mul", x, b.Op(graph.OpSigmoid, "act", x))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := graph.NewBuilder(name, graph.Shape{H: 2, W: 2, C: 3})
			b.Conv2D("last", c.act(b, b.Conv2D("first", "input", one(4))), one(2))
			g, err := b.Build()
			require.NoError(t, err)
			coupling, err := Couple(g)
			require.NoError(t, err)
			assert.Equal(t, c.fixed, coupling.Groups[coupling.OutGroup(1)].Fixed)
		})
	}
}

// Squeeze-excitation, a grouped convolution and a concatenation as they are in
// published networks.
func TestCoupleGatesGroupsAndConcatenations(t *testing.T) {
	one := func(out, groups int) graph.Conv2D {
		return graph.Conv2D{Out: out, Kernel: [2]int{1, 1}, Groups: groups}
	}
	b := graph.NewBuilder("parts", graph.Shape{H: 2, W: 2, C: 3})
	x := b.Conv2D("a", "input", one(8, 1))
	x = b.Conv2D("grouped", x, one(8, 2))
	s := b.Op(graph.OpReLU, "relu", b.Conv2D("reduce", b.Op(graph.OpGlobalAvgPool, "squeeze", x), one(4, 1)))
	x = b.Op(graph.OpMul, "mul", b.Op(graph.OpSigmoid, "gate", b.Conv2D("expand", s, one(8, 1))), x)
	y := b.Conv2D("growth", b.BatchNorm("bn1", x), one(6, 1))
	x = b.BatchNorm("bn2", b.Op(graph.OpConcat, "concat", x, y))
	b.Conv2D("last", x, one(2, 1))
	g, err := b.Build()
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	assert.Equal(t, []Group{
		{ID: 0, Channels: 3, Consumers: []string{"a"}, Fixed: true, FixedWhy: "the image's channels"},
		{ID: 1, Channels: 8, Producers: []string{"a", "expand"}, Norms: []string{"bn1", "bn2"}, Depthwise: []string{"grouped"},
			Consumers: []string{"reduce", "growth", "last"}, Unit: 4},
		{ID: 2, Channels: 4, Producers: []string{"reduce"}, Consumers: []string{"expand"}},
		{ID: 3, Channels: 6, Producers: []string{"growth"}, Norms: []string{"bn2"}, Consumers: []string{"last"}},
		{ID: 4, Channels: 2, Producers: []string{"last"}, Fixed: true, FixedWhy: "the network's output"},
	}, c.Groups)
	concat, _ := g.Index("concat")
	assert.Equal(t, []int{1, 3}, c.Out(concat))
	assert.Equal(t, [][]string{nil, {"a", "grouped", "expand", "bn1"}, {"reduce"}, {"growth"}, {"last"}, {"bn2"}}, Members(g, c))

	ch := Full(c)
	ch.Keep[1], ch.Keep[2], ch.Keep[3] = []int{4, 5, 6, 7}, []int{1}, []int{0, 5}
	require.NoError(t, ch.Check(g, c))
	assert.Equal(t, []int{4, 5, 6, 7, 8, 13}, c.Kept(ch, concat))
	small, err := ExtractGraph(g, c, ch)
	require.NoError(t, err)
	grouped, _ := small.Index("grouped")
	assert.Equal(t, 1, small.Node(grouped).Conv2D.Groups)
	assert.Equal(t, 4, small.Node(grouped).Conv2D.Out)
	for _, keep := range [][]int{{3, 4, 5, 6}, {4, 5, 6}, {0, 1, 2, 3, 4}, {0, 1, 2, 4}} {
		ch.Keep[1] = keep
		assert.ErrorContains(t, ch.Check(g, c), "channels go in runs of 4", "%v", keep)
	}
}
