package prune

import (
	"fmt"

	"mdp/engine/graph"
)

// Choice is what stays of a network: the channels of each of its coupling's
// groups and the blocks.
type Choice struct {
	Keep    [][]int `json:"keep"`     // per group: the channels kept, ascending, at least one
	BlockOn []bool  `json:"block_on"` // per block: whether it stays
}

// Full keeps everything.
func Full(c *Coupling) Choice {
	ch := Choice{Keep: make([][]int, len(c.Groups)), BlockOn: make([]bool, len(c.Blocks))}
	for i, g := range c.Groups {
		ch.Keep[i] = upTo(g.Channels)
	}
	for i := range ch.BlockOn {
		ch.BlockOn[i] = true
	}
	return ch
}

// Check reports the first thing that makes the choice, or the coupling, unfit
// for g.
func (ch Choice) Check(g *graph.Graph, c *Coupling) error {
	same := len(c.out) == g.Len()
	for i := 0; same && i < g.Len(); i++ {
		j, ok := c.index[g.Node(i).Name]
		same = ok && j == i && c.features[i] == g.Shape(i).C
	}
	if !same {
		return fmt.Errorf("the coupling was made for another network than graph %q; make one with Couple", g.Name())
	}
	if len(ch.Keep) != len(c.Groups) || len(ch.BlockOn) != len(c.Blocks) {
		return fmt.Errorf("the choice is for %d groups and %d blocks, the network has %d and %d",
			len(ch.Keep), len(ch.BlockOn), len(c.Groups), len(c.Blocks))
	}
	for i, keep := range ch.Keep {
		group := c.Groups[i]
		if len(keep) == 0 {
			return fmt.Errorf("group %d %v: no channel is kept, at least one must be", i, group.Producers)
		}
		last := -1
		for _, k := range keep {
			if k <= last || k >= group.Channels {
				return fmt.Errorf("group %d %v: kept channel %d after %d; channels must ascend within 0..%d", i, group.Producers, k, last, group.Channels-1)
			}
			last = k
		}
		if u := group.unit(); u > 1 && !whole(keep, u) {
			return fmt.Errorf("group %d %v: channels go in runs of %d, from a multiple of it on; keep all of a run or none", i, group.Producers, u)
		}
		if group.Fixed && len(keep) < group.Channels {
			return fmt.Errorf("group %d %v: only %d of %d channels are kept, but all are fixed (%s)", i, group.Producers, len(keep), group.Channels, group.FixedWhy)
		}
	}
	for i, on := range ch.BlockOn {
		if b := c.Blocks[i]; b.Fixed && !on {
			return fmt.Errorf("block %d %s is removed, but it is fixed (%s)", i, b.Name, b.FixedWhy)
		}
	}
	return nil
}

// whole says whether ascending channels are whole runs of unit.
func whole(keep []int, unit int) bool {
	for j, k := range keep {
		if j%unit == 0 && k%unit != 0 || j%unit > 0 && k != keep[j-1]+1 {
			return false
		}
	}
	return len(keep)%unit == 0
}

// Kept returns, ascending, which of node i's output channels stay: its groups'
// choices side by side, repeated for every position of a flattened image.
func (c *Coupling) Kept(ch Choice, i int) []int {
	if len(c.out[i]) == 0 {
		return upTo(c.features[i])
	}
	var kept []int
	for base := 0; base < c.features[i]; {
		for _, id := range c.out[i] {
			for _, k := range ch.Keep[id] {
				kept = append(kept, base+k)
			}
			base += c.Groups[id].Channels
		}
	}
	return kept
}

// Removed says whether node i goes with its block.
func (c *Coupling) Removed(ch Choice, i int) bool {
	return c.block[i] != none && !ch.BlockOn[c.block[i]]
}

// upTo is 0, 1, …, n−1.
func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
