package prune

import (
	"math"

	"mdp/bench"
	"mdp/engine"
)

// A piece is what a call's latency has to do with one pair of groups, its own
// output's and its input's. Most calls have one piece. What a call does to a
// concatenation depends on all the groups that lie side by side there, and the
// solver adds up tables over two groups. So it is cut in pieces, one for each of
// them, whose share is the group's part of the channels; and a piece's latency is
// its share of the call's where all the groups are cut alike, in the proportion
// that this one is. Pieces add up to the call's latency where they are cut alike,
// and, as far as it grows in proportion to the channels, where they are not.
type piece struct {
	call      int
	own, prev int
	share     float64
	first     bool // of those of its own group: the one that the importance goes with
}

// pieces lists those of every call, in the network's order.
func (s *Space) pieces() []piece {
	var all []piece
	part := 0 // of the concatenation that this call copies
	for call := range s.Program.Plan().Calls {
		head := s.Program.Nodes(call)[0]
		in := s.Graph.Inputs(head)[0]
		if call == 0 || s.Program.Nodes(call - 1)[0] != head {
			part = 0
		}
		own, prev := s.Coupling.Out(head), s.Coupling.Out(in)
		switch s.Program.Plan().Calls[call].(type) {
		case engine.CopyChannels:
			own = s.Coupling.Out(s.Graph.Inputs(head)[part])
			part++
		case engine.ConvForward:
			if passed(s.Graph, head) == 0 {
				for j, p := range s.shares(prev) {
					all = append(all, piece{call, own[0], p.prev, p.share, j == 0})
				}
				continue
			}
		}
		for _, p := range s.shares(own) {
			p.call = call
			all = append(all, p)
		}
	}
	return all
}

// shares are pieces of what keeps its channels apart: one for each of the groups.
func (s *Space) shares(groups []int) []piece {
	total, part := 0, map[int]int{}
	for _, id := range groups {
		part[id] += s.Coupling.Groups[id].Channels
		total += s.Coupling.Groups[id].Channels
	}
	var all []piece
	for _, id := range distinct(groups) {
		all = append(all, piece{own: id, prev: id, share: float64(part[id]) / float64(total), first: true})
	}
	return all
}

// cell is the call of a piece as it runs with the given options of its own and
// its input's group, and with every group beside them cut in proportion; weight is
// the piece's share of its latency. Where that proportion is no whole number of
// channels, the nearest is measured and the weight makes up for it.
func (s *Space) cell(p piece, ownOption, prevOption int) (c engine.Call, weight float64) {
	g, head := s.Graph, s.Program.Nodes(p.call)[0]
	c = s.Program.Plan().Calls[p.call]
	unit := max(1, passed(g, head))
	from, to := g.Shape(g.Inputs(head)[0]).C, g.Shape(head).C
	switch d := c.(type) {
	case engine.CopyChannels:
		from = d.C
	case engine.ConvForward:
	default: // as many channels as it writes
		from = to
	}
	in, exact := s.cut(from, p.prev, prevOption, unit)
	out, _ := s.cut(to, p.own, ownOption, unit)
	weight = p.share * exact / float64(in)
	switch c.(type) {
	case engine.Activate, engine.Add, engine.Clamp:
		in = s.Program.Options().Batch * g.Shape(head).H * g.Shape(head).W // their rows
	}
	return bench.WithChannels(c, in, out), weight
}

// cut is how many of a node's channels stay with a group's option, in units: all
// of the group's that are kept, a linear layer's over a flattened image several
// for each, and of the groups beside it the same proportion.
func (s *Space) cut(channels, group, option, unit int) (rounded int, exact float64) {
	exact = float64(channels) * float64(s.channels(group, option)) / float64(s.Coupling.Groups[group].Channels)
	return max(1, int(math.Round(exact/float64(unit)))) * unit, exact
}

// Configurations lists every distinct call that some choice can make the
// network run, in the network's order, the dense configurations first.
func (s *Space) Configurations() []engine.Call { return s.Coarse(1) }

// Coarse is the part of Configurations that is measured where only every n-th
// option of a group is, its largest and its smallest among them; and of the rest
// one in a dozen, which tells what a device makes of the channels in between.
func (s *Space) Coarse(n int) []engine.Call {
	var dense, rest []engine.Call
	seen := map[string]bool{}
	visit := func(into *[]engine.Call, c engine.Call) {
		if k := c.String(); !seen[k] {
			seen[k] = true
			*into = append(*into, c)
		}
	}
	pieces := s.pieces()
	for _, p := range pieces {
		c, _ := s.cell(p, s.options(p.own), s.options(p.prev))
		visit(&dense, c)
	}
	coarse := func(group, option int) bool {
		return option == s.lowest(group) || (s.options(group)-option)%n == 0
	}
	for _, p := range pieces {
		for a := s.options(p.own); a >= s.lowest(p.own); a-- {
			for b := s.options(p.prev); b >= s.lowest(p.prev); b-- {
				if p.own == p.prev && a != b {
					continue
				}
				c, _ := s.cell(p, a, b)
				if coarse(p.own, a) && coarse(p.prev, b) || (5*a+7*b)%12 == 0 {
					visit(&rest, c)
				}
			}
		}
	}
	return append(dense, rest...)
}
