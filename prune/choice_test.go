package prune

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/nets"
)

// randomChoice keeps a random part of every free group, and each free block
// with probability on.
func randomChoice(c *Coupling, r *rand.Rand, on float64) Choice {
	ch := Full(c)
	for i, g := range c.Groups {
		if g.Fixed {
			continue
		}
		var keep []int
		p, u := r.Float64(), g.unit()
		for k := 0; k < g.Channels; k += u {
			if r.Float64() < p {
				keep = append(keep, upTo(g.Channels)[k:k+u]...)
			}
		}
		if keep == nil {
			k := r.IntN(g.Channels/u) * u
			keep = upTo(g.Channels)[k : k+u]
		}
		ch.Keep[i] = keep
	}
	for i, b := range c.Blocks {
		ch.BlockOn[i] = b.Fixed || r.Float64() < on
	}
	return ch
}

func TestChoiceCheck(t *testing.T) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.25})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	require.NoError(t, c.Fix("layer2.0.conv1", "asked for"))
	require.NoError(t, Full(c).Check(g, c))
	for name, edit := range map[string]func(*Choice){
		"0 groups":              func(ch *Choice) { ch.Keep = nil },
		"2 blocks":              func(ch *Choice) { ch.BlockOn = ch.BlockOn[:2] },
		"no channel":            func(ch *Choice) { ch.Keep[1] = nil },
		"channel 4 after 3":     func(ch *Choice) { ch.Keep[1] = []int{0, 3, 4} },
		"channel -1":            func(ch *Choice) { ch.Keep[1] = []int{-1, 3} },
		"channel 2 after 2":     func(ch *Choice) { ch.Keep[1] = []int{1, 2, 2} },
		"channel 1 after 2":     func(ch *Choice) { ch.Keep[1] = []int{2, 1} },
		"the image's channels":  func(ch *Choice) { ch.Keep[0] = []int{0, 2} },
		"layer2.0.conv1":        func(ch *Choice) { ch.Keep[c.OutGroup(c.index["layer2.0.conv1"])] = []int{0} },
		"block 1 layer2.0":      func(ch *Choice) { ch.BlockOn[1] = false },
		"the network's output":  func(ch *Choice) { ch.Keep[len(ch.Keep)-1] = []int{0, 1} },
		"[conv1 layer1.0.conv2": func(ch *Choice) { ch.Keep[1] = []int{} },
	} {
		ch := Full(c)
		edit(&ch)
		assert.ErrorContains(t, ch.Check(g, c), name)
	}
}

func TestChoiceJSON(t *testing.T) {
	g, err := nets.Build("mobilenet_v2", nets.Options{})
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	want := randomChoice(c, randFor(t.Name()), 0.5)
	b, err := json.Marshal(want)
	require.NoError(t, err)
	var have Choice
	require.NoError(t, json.Unmarshal(b, &have))
	assert.Equal(t, want, have)
}

// Whatever a file says: a choice that validates can be cut, any other is an error.
func FuzzChoice(f *testing.F) {
	g, err := nets.Build("resnet8-cifar", nets.Options{Width: 0.125})
	require.NoError(f, err)
	c, err := Couple(g)
	require.NoError(f, err)
	for i := range 4 {
		b, err := json.Marshal(randomChoice(c, rand.New(rand.NewPCG(uint64(i), 0)), 0.5))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(`{"keep":[[0,1,2]],"block_on":[true]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ch Choice
		if json.Unmarshal(b, &ch) != nil {
			return
		}
		_, err := ExtractGraph(g, c, ch)
		assert.Equal(t, ch.Check(g, c) == nil, err == nil, "%v", err)
	})
}
