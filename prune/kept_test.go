package prune

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// Of every network and choice: what was kept, written and read, cuts the same
// network out of the dense one; and the small tensors are the dense ones, channels
// first, at the indices kept.
func TestKept(t *testing.T) {
	for _, net := range testNets(t, 60) {
		t.Run(net.name, func(t *testing.T) {
			g := net.g
			if g.ChannelsFirst() != nil {
				t.Skip("a network that PyTorch has no form of")
			}
			c, err := Couple(g)
			require.NoError(t, err)
			w := graph.InitWeights(g, 1)
			for name, ch := range choices(c, net.name) {
				kept, err := NewKept(g, c, ch)
				require.NoError(t, err, name)
				var b bytes.Buffer
				require.NoError(t, kept.Write(&b))
				kept, err = ReadKept(&b)
				require.NoError(t, err, name)
				again, err := kept.Choice(g, c)
				require.NoError(t, err, name)
				small, sw, err := Extract(g, w, c, ch)
				require.NoError(t, err, name)
				other, ow, err := Extract(g, w, c, again)
				require.NoError(t, err, name)
				require.Equal(t, small, other, name)
				require.Equal(t, sw, ow, name)
				assertSliced(t, g, small, w, sw, kept)
			}
		})
	}
}

// assertSliced cuts each dense tensor as a PyTorch user would.
func assertSliced(t *testing.T, g, small *graph.Graph, w, sw graph.Weights, kept Kept) {
	for _, p := range small.Params() {
		at, _ := g.Index(small.Node(p.Node).Name)
		params := g.NodeParams(at)
		dense := params[slices.IndexFunc(params, func(q graph.Param) bool { return q.Name == p.Name })]
		from, want := make([]float32, dense.Size()), make([]float32, p.Size())
		g.ToChannelsFirst(from, w.Data(p.Name), dense)
		small.ToChannelsFirst(want, sw.Data(p.Name), p)
		l := kept.Layers[small.Node(p.Node).Name]
		shape := g.ChannelsFirstShape(dense)
		in, cols := []int{0}, 1
		if len(shape) > 1 {
			in, cols = l.In, shape[1]
		}
		inner := dense.Size() / shape[0] / cols
		var have []float32
		for _, o := range l.Out {
			for _, i := range in {
				have = append(have, from[(o*cols+i)*inner:][:inner]...)
			}
		}
		require.Equal(t, want, have, p.Name)
	}
}

func TestKeptRefuses(t *testing.T) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.25})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	full, err := NewKept(g, c, Full(c))
	require.NoError(t, err)
	for says, damage := range map[string]func(k *Kept){
		"is in no block":                     func(k *Kept) { k.Removed = []string{"fc"} },
		"removed layer \"none\"":             func(k *Kept) { k.Removed = []string{"none"} },
		"channels must ascend":               func(k *Kept) { k.set("layer1.0.conv1", []int{1, 0}, nil) },
		"kept channel 9":                     func(k *Kept) { k.set("layer1.0.conv1", []int{1, 9}, nil) },
		"no channel is kept":                 func(k *Kept) { k.set("layer1.0.conv1", []int{}, nil) },
		"keeps other channels":               func(k *Kept) { k.set("layer1.0.conv1", []int{0, 1}, nil) }, // bn1 and conv2 keep all
		`"layer1.0.conv2" keeps other`:       func(k *Kept) { k.set("layer1.0.conv2", nil, []int{0}) },
		`"extra" keeps other`:                func(k *Kept) { k.set("extra", []int{0}, nil) },
		`"bn1" of resnet8-cifar is neither`:  func(k *Kept) { delete(k.Layers, "bn1") },
		"are kept, but all are fixed (the n": func(k *Kept) { k.set("fc", []int{0}, nil) },
	} {
		k := full
		k.Layers = map[string]KeptLayer{}
		for name, l := range full.Layers {
			k.Layers[name] = l
		}
		damage(&k)
		_, err := k.Choice(g, c)
		assert.ErrorContains(t, err, says)
	}
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"stray":1}`, "[]"} {
		_, err := ReadKept(strings.NewReader(text))
		assert.ErrorContains(t, err, "kept channels: ", text)
	}
}

// set replaces a layer's kept indices, where they are given.
func (k *Kept) set(name string, out, in []int) {
	l := k.Layers[name]
	if out != nil {
		l.Out = out
	}
	if in != nil {
		l.In = in
	}
	k.Layers[name] = l
}

// Whatever the JSON, it is refused or a choice that can be extracted.
func FuzzKept(f *testing.F) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.0625, Classes: 2})
	require.NoError(f, err)
	c, err := Couple(g)
	require.NoError(f, err)
	for _, ch := range choices(c, "fuzz") {
		k, err := NewKept(g, c, ch)
		require.NoError(f, err)
		var b bytes.Buffer
		require.NoError(f, k.Write(&b))
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ReadKept(bytes.NewReader(b))
		if err != nil {
			return
		}
		ch, err := k.Choice(g, c)
		if err != nil {
			return
		}
		_, err = ExtractGraph(g, c, ch)
		require.NoError(t, err)
	})
}
