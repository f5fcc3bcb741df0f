package prune

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"mdp/engine/graph"
)

// Kept says what was cut from a network in PyTorch's terms, so that the small one
// can be made of the dense one's tensors: of each layer the indices that stay in
// dimensions 0 and 1 of its weight. Its bias, and all that a batch norm has, go by
// dimension 0.
type Kept struct {
	Version int                  `json:"version"`
	Net     string               `json:"net"`
	Layers  map[string]KeptLayer `json:"layers"`
	Removed []string             `json:"removed"` // layers that are gone
}

// KeptLayer is a layer's part of Kept.
type KeptLayer struct {
	Shape []int `json:"shape"` // of the dense weight, channels first
	Out   []int `json:"out"`   // kept of dimension 0
	In    []int `json:"in"`    // kept of dimension 1, of which a vector has none
}

const keptVersion = 1

// NewKept says what a choice keeps of g.
func NewKept(g *graph.Graph, c *Coupling, ch Choice) (Kept, error) {
	if err := ch.Check(g, c); err != nil {
		return Kept{}, err
	}
	if err := g.ChannelsFirst(); err != nil {
		return Kept{}, err
	}
	k := Kept{Version: keptVersion, Net: g.Name(), Layers: map[string]KeptLayer{}, Removed: []string{}}
	for i := range g.Len() {
		params, name := g.NodeParams(i), g.Node(i).Name
		switch {
		case len(params) == 0:
			continue
		case c.Removed(ch, i):
			k.Removed = append(k.Removed, name)
			continue
		}
		weight := params[0]
		l := KeptLayer{Shape: g.ChannelsFirstShape(weight), Out: c.channelsFirst(g, ch, i)}
		if weight.Role == graph.RoleFilter {
			l.In = upTo(l.Shape[1])
			if in := g.Inputs(i)[0]; l.Shape[1] == g.Shape(in).C { // a filter over all channels
				l.In = c.channelsFirst(g, ch, in)
			}
		}
		k.Layers[name] = l
	}
	for _, b := range c.Blocks {
		if !ch.BlockOn[b.ID] && !slices.ContainsFunc(k.Removed, func(name string) bool { return c.BlockOf(c.index[name]) == b.ID }) {
			k.Removed = append(k.Removed, b.Add) // a block without layers of its own
		}
	}
	return k, nil
}

// channelsFirst is Kept with the features of a flattened image numbered as
// PyTorch's: all positions of channel 0 first.
func (c *Coupling) channelsFirst(g *graph.Graph, ch Choice, i int) []int {
	kept, image := c.Kept(ch, i), g.Flattened(i)
	positions := image.H * image.W
	if positions == 1 {
		return kept
	}
	for j, k := range kept {
		kept[j] = k%image.C*positions + k/image.C
	}
	slices.Sort(kept)
	return kept
}

// Choice is the choice that keeps this of g.
func (k Kept) Choice(g *graph.Graph, c *Coupling) (Choice, error) {
	ch := Full(c)
	for _, name := range k.Removed {
		i, ok := g.Index(name)
		if !ok || c.BlockOf(i) == none {
			return ch, fmt.Errorf("removed layer %.80q is in no block of %s that can go", name, g.Name())
		}
		ch.BlockOn[c.BlockOf(i)] = false
	}
	for id, group := range c.Groups {
		for _, name := range group.Producers {
			if l, ok := k.Layers[name]; ok {
				ch.Keep[id] = l.Out
				break
			}
		}
	}
	if err := ch.Check(g, c); err != nil {
		return ch, err
	}
	again, err := NewKept(g, c, ch)
	if err != nil {
		return ch, err
	}
	for name, l := range k.Layers {
		if want, ok := again.Layers[name]; !ok || !slices.Equal(l.Out, want.Out) || !slices.Equal(l.In, want.In) || !slices.Equal(l.Shape, want.Shape) {
			return ch, fmt.Errorf("layer %.80q keeps other channels than those it is coupled to in %s, or is none of its layers", name, g.Name())
		}
	}
	for name := range again.Layers {
		if _, ok := k.Layers[name]; !ok {
			return ch, fmt.Errorf("layer %q of %s is neither kept nor removed", name, g.Name())
		}
	}
	return ch, nil
}

// Write writes it as one line of JSON.
func (k Kept) Write(w io.Writer) error {
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// maxKept bounds a file of kept channels; ResNet-152's has 0.6 MB.
const maxKept = 64 << 20

// ReadKept reads what Write wrote.
func ReadKept(r io.Reader) (Kept, error) {
	d := json.NewDecoder(io.LimitReader(r, maxKept))
	d.DisallowUnknownFields()
	var k Kept
	if err := d.Decode(&k); err != nil {
		return k, fmt.Errorf("kept channels: %w", err)
	}
	if k.Version != keptVersion {
		return k, fmt.Errorf("kept channels: version %d, this program reads %d", k.Version, keptVersion)
	}
	return k, nil
}
