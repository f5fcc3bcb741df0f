package prune

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"mdp/prune/solve"
)

// subnet is a sub-network as the solver names one.
type subnet struct {
	Name     string
	Options  []int  // by group
	BlocksOn []bool // by block of the problem
}

// drawSeed makes them the same every time.
const drawSeed = 2

// budgets that random sub-networks are drawn at, as shares of the dense latency.
var shares = []float64{0.8, 0.6, 0.4, 0.2}

// draw draws the i-th random sub-network, whose latency by the problem is near its
// share of the dense network's.
func draw(p *solve.Problem, i int) (subnet, error) {
	_, denseNS, err := p.Evaluate(p.Dense())
	if err != nil {
		return subnet{}, err
	}
	r := rand.New(rand.NewPCG(drawSeed, uint64(i)))
	share := shares[i%len(shares)]
	s, err := drawAt(p, r, int64(share*float64(denseNS)))
	s.Name = fmt.Sprintf("random %gx %d", share, i/len(shares)+1)
	return s, err
}

// drawAt draws a sub-network near a latency: blocks go by chance, and each group
// has a share of its channels that is random, u^(1/t), at the one t for all groups
// that comes nearest. Of many such draws it takes the nearest, the first within 2 %.
func drawAt(p *solve.Problem, r *rand.Rand, budgetNS int64) (nearest subnet, err error) {
	best := math.Inf(1)
	for range 50 {
		s := subnet{Options: make([]int, len(p.Groups)), BlocksOn: make([]bool, len(p.Blocks))}
		goes := 0.5 * r.Float64()
		for i, b := range p.Blocks {
			s.BlocksOn[i] = r.Float64() >= goes || !b.Prunable
		}
		u := make([]float64, len(p.Groups))
		for i := range u {
			u[i] = r.Float64()
		}
		off := func(t float64) (share float64, err error) {
			for i, g := range p.Groups {
				s.Options[i] = max(g.MinOption, int(math.Round(math.Pow(u[i], 1/t)*float64(g.MaxOption))))
			}
			_, ns, err := p.Evaluate(s.Options, s.BlocksOn)
			return float64(ns)/float64(budgetNS) - 1, err
		}
		low, high := 1.0/16, 16.0
		for range 12 {
			mid := math.Sqrt(low * high)
			d, err := off(mid)
			if err != nil {
				return subnet{}, err
			}
			if math.Abs(d) < best {
				best = math.Abs(d)
				nearest = subnet{Options: append([]int(nil), s.Options...), BlocksOn: s.BlocksOn}
			}
			if d > 0 {
				high = mid
			} else {
				low = mid
			}
		}
		if best < 0.02 {
			break
		}
	}
	return nearest, nil
}

// key names a sub-network in a table of networks by what it keeps: channels of
// every group, and the blocks.
func (s *Space) key(n subnet) string {
	in := s.Graph.Shape(0)
	var b strings.Builder
	fmt.Fprintf(&b, "%s/n%d/h%dw%dc%d/", s.Graph.Name(), s.Program.Options().Batch, in.H, in.W, in.C)
	for i, o := range n.Options {
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, s.channels(i, o))
	}
	b.WriteByte('/')
	for _, on := range n.BlocksOn[1:] {
		if on {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}
