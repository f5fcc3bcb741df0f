package prune

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mdp/engine"
	"mdp/engine/graph"
	"mdp/prune/solve"
)

// Space is everything the solver may choose from: a network as it runs in
// inference, cut in steps of channels.
type Space struct {
	*Steps
	Program *engine.Program // inference, at the batch whose latency counts
}

// NewSpace cuts a program's network as NewSteps does.
func NewSpace(p *engine.Program, c *Coupling, step int) *Space {
	return &Space{NewSteps(p.Graph(), c, step), p}
}

// Steps is how many channels of each group of a network are kept or go together:
// option k of a group keeps the best k steps.
type Steps struct {
	Graph    *graph.Graph
	Coupling *Coupling
	Step     []int // channels per option, by group
}

// NewSteps cuts every free group in steps, rounded up to whole units. A step of 0 means the power of two
// nearest below an eighth of the group's channels, from 4 to 64: chunks the
// device likes, and few enough options to measure.
func NewSteps(g *graph.Graph, c *Coupling, step int) *Steps {
	s := &Steps{g, c, make([]int, len(c.Groups))}
	for i, g := range c.Groups {
		switch {
		case g.Fixed:
			s.Step[i] = g.Channels
		case step > 0:
			s.Step[i] = min(step, g.Channels)
		default:
			s.Step[i] = 4
			for s.Step[i]*2 <= min(g.Channels/8, 64) {
				s.Step[i] *= 2
			}
			s.Step[i] = min(s.Step[i], g.Channels)
		}
		if u := g.unit(); !g.Fixed {
			s.Step[i] = (s.Step[i] + u - 1) / u * u
		}
	}
	return s
}

// options is the largest option of a group: all its channels.
func (s *Steps) options(group int) int {
	return (s.Coupling.Groups[group].Channels + s.Step[group] - 1) / s.Step[group]
}

// channels kept of a group by an option.
func (s *Steps) channels(group, option int) int {
	return min(option*s.Step[group], s.Coupling.Groups[group].Channels)
}

// lowest is the smallest option of a group.
func (s *Steps) lowest(group int) int {
	if s.Coupling.Groups[group].Fixed {
		return s.options(group)
	}
	return 1
}

// importanceUnits is what the importance of the whole network is scaled to.
const importanceUnits = 1_000_000_000

// Problem joins scores and latencies into the MINLP. latencyNS gives a
// configuration's latency, and false where there is none.
//
// One layer of the problem is one piece of a call of the network. Its importance at option
// k is that of the group's k best chunks of channels, all members in the group's
// one order. Option 0 of a table stands for nothing and is never chosen.
func (s *Space) Problem(scores Scores, latencyNS func(engine.Call) (int64, bool)) (*solve.Problem, error) {
	g := s.Graph
	p := &solve.Problem{
		Name: g.Name(), LatencyUnit: "ns", ImportanceUnit: "1e-9 of the whole network",
		Blocks: []solve.Block{{}},
	}
	for i, group := range s.Coupling.Groups {
		p.Groups = append(p.Groups, solve.Group{
			ID: i, Layers: slices.Concat(group.Producers, group.Depthwise),
			Options: s.options(i) + 1, MinOption: s.lowest(i), MaxOption: s.options(i), ChannelsPerOption: s.Step[i], Channels: group.Channels,
		})
	}
	for _, b := range s.Coupling.Blocks {
		p.Blocks = append(p.Blocks, solve.Block{ID: b.ID + 1, Prunable: !b.Fixed, Layers: b.Layers})
	}
	order, total, err := s.orders(scores)
	if err != nil {
		return nil, err
	}
	for _, piece := range s.pieces() {
		own, prev := piece.own, piece.prev
		nodes := s.Program.Nodes(piece.call)
		l := solve.Layer{Name: g.Node(nodes[0]).Name, Group: own, PrevGroup: prev, Block: s.Coupling.BlockOf(nodes[0]) + 1}
		for a := 0; a <= s.options(own); a++ {
			row := make([]int64, s.options(prev)+1)
			for b := s.lowest(prev); b <= s.options(prev); b++ {
				if a < s.lowest(own) || own == prev && a != b {
					continue
				}
				c, weight := s.cell(piece, a, b)
				ns, ok := latencyNS(c)
				if !ok {
					return nil, fmt.Errorf("the latency table has no row for %s, which layer %s needs: run mdp bench again", c, l.Name)
				}
				row[b] = int64(math.Round(float64(ns) * weight))
			}
			if own == prev {
				l.Latency.Own = append(l.Latency.Own, row[a])
			} else {
				l.Latency.Pair = append(l.Latency.Pair, row)
			}
		}
		if piece.first {
			l.Importance = s.cumulative(scores, nodes, own, order[own], total)
		}
		p.Layers = append(p.Layers, l)
	}
	return p, p.Validate()
}

// orders ranks each group's channels by the sum of their members' scores, best
// first, the lower index first among equals, channels that go together by their
// sum; total is the sum of all scores.
func (s *Steps) orders(scores Scores) (order [][]int, total float64, err error) {
	sums := make([][]float64, len(s.Coupling.Groups))
	for i, g := range s.Coupling.Groups {
		sums[i] = make([]float64, g.Channels)
	}
	for _, m := range slices.Concat(Members(s.Graph, s.Coupling)...) {
		i, _ := s.Graph.Index(m)
		if n := s.Graph.Shape(i).C; len(scores.Members[m]) != n {
			return nil, 0, fmt.Errorf("scores of %s: have %d channels, need %d: run mdp score again", m, len(scores.Members[m]), n)
		}
		for group := range sums {
			total += s.tally(sums[group], scores, i, group)
		}
	}
	order = make([][]int, len(sums))
	for i, sum := range sums {
		unit := s.Coupling.Groups[i].unit()
		units := make([]float64, len(sum)/unit)
		for c, v := range sum {
			units[c/unit] += v
		}
		ranks := upTo(len(units))
		slices.SortStableFunc(ranks, func(a, b int) int { return cmp.Compare(units[b], units[a]) })
		for _, u := range ranks {
			for c := u * unit; c < (u+1)*unit; c++ {
				order[i] = append(order[i], c)
			}
		}
	}
	if total == 0 {
		total = 1 // nothing matters: every importance is zero
	}
	return order, total, nil
}

// tally adds node i's scores of a group's channels to sum, and returns what they
// add up to.
func (s *Steps) tally(sum []float64, scores Scores, i, group int) (total float64) {
	score := scores.Members[s.Graph.Node(i).Name]
	for at := 0; at < len(score); {
		for _, id := range s.Coupling.Out(i) {
			n := s.Coupling.Groups[id].Channels
			if id == group {
				for c, v := range score[at : at+n] {
					sum[c] += float64(v)
					total += float64(v)
				}
			}
			at += n
		}
	}
	return total
}

// cumulative is the importance of keeping the best k steps of channels of the
// members among a call's nodes, for every option k.
func (s *Steps) cumulative(scores Scores, nodes []int, group int, order []int, total float64) []int64 {
	sum := make([]float64, len(order))
	for _, n := range nodes {
		s.tally(sum, scores, n, group)
	}
	importance := make([]int64, s.options(group)+1)
	acc := 0.0
	for rank, c := range order {
		acc += sum[c]
		importance[rank/s.Step[group]+1] = int64(math.Round(acc / total * importanceUnits))
	}
	return importance
}

// Choice turns the solver's options into channels: each group keeps its best.
func (s *Steps) Choice(scores Scores, solution solve.Solution) (Choice, error) {
	order, _, err := s.orders(scores)
	if err != nil {
		return Choice{}, err
	}
	if len(solution.Options) != len(order) || len(solution.BlocksOn) != len(s.Coupling.Blocks)+1 {
		return Choice{}, fmt.Errorf("the solution is for %d groups and %d blocks, the network has %d and %d: run mdp solve again",
			len(solution.Options), len(solution.BlocksOn)-1, len(order), len(s.Coupling.Blocks))
	}
	for i, o := range solution.Options {
		if o < s.lowest(i) || o > s.options(i) {
			return Choice{}, fmt.Errorf("the solution takes option %d of group %d, which has %d to %d: run mdp solve again", o, i, s.lowest(i), s.options(i))
		}
	}
	choice := Choice{Keep: make([][]int, len(order)), BlockOn: make([]bool, len(s.Coupling.Blocks))}
	for i, o := range order {
		choice.Keep[i] = slices.Sorted(slices.Values(o[:s.channels(i, solution.Options[i])]))
	}
	for i := range choice.BlockOn {
		choice.BlockOn[i] = solution.BlocksOn[i+1]
	}
	return choice, nil
}
