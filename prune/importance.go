package prune

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"mdp/engine"
	"mdp/engine/graph"
)

// Importance is how channels are scored.
type Importance string

// The ways to score a channel. Taylor asks the loss; the others are baselines.
const (
	Taylor    Importance = "taylor"    // |γ·∂L/∂γ + β·∂L/∂β| over training batches
	Magnitude Importance = "magnitude" // |γ|, or √(Σw²) of a filter without batch norm
	Random    Importance = "random"    // uniform in [0, 1)
)

// Scores says how much the loss needs each channel of each scored member: a
// batch norm, or a convolution or linear layer that has none.
type Scores struct {
	Importance Importance           `json:"importance"`
	Batches    int                  `json:"batches,omitempty"` // the mean is over these
	Members    map[string][]float32 `json:"members"`           // by node name, one value per channel, ≥ 0
}

// Check reports the first score that is negative or not finite.
func (s Scores) Check() error {
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		for i, v := range s.Members[name] {
			if !(v >= 0 && v <= math.MaxFloat32) {
				return fmt.Errorf("score of %s, channel %d, is %g, and must be finite and not negative: train with a lower learning rate if the loss diverged, and score again", name, i, v)
			}
		}
	}
	return nil
}

// Members lists what is scored, by group: the group's batch norms, and its
// convolutions and linear layers but for those that one batch norm reads and
// nothing else. A batch norm over several groups side by side is scored by
// itself, in a list behind the groups': each of its channels counts for the
// group it is of.
// Fixed groups are scored as well: their members count for the blocks they are in.
func Members(g *graph.Graph, c *Coupling) [][]string {
	members := make([][]string, len(c.Groups))
	for i := range g.Len() {
		n := g.Node(i)
		switch n.Op {
		case graph.OpConv2D, graph.OpLinear:
			if readers := g.Consumers(i); len(readers) == 1 && g.Node(readers[0]).Op == graph.OpBatchNorm {
				continue
			}
		case graph.OpBatchNorm:
			if slices.Equal(distinct(c.Out(i)), c.Out(0)) {
				continue // a batch norm over the image keeps all of it
			}
			if c.OutGroup(i) == none {
				members = append(members, []string{n.Name})
				continue
			}
		default:
			continue
		}
		members[c.OutGroup(i)] = append(members[c.OutGroup(i)], n.Name)
	}
	return members
}

// TaylorScores are a training program's gathered importances, per batch. The
// program was compiled with Options.Score = Members and ran Gradient batches times.
func TaylorScores(p *engine.Program, batches int) (Scores, error) {
	sums, err := p.Scores()
	if err != nil {
		return Scores{}, err
	}
	for _, s := range sums {
		for i := range s {
			s[i] /= float32(batches)
		}
	}
	return Scores{Importance: Taylor, Batches: batches, Members: sums}, nil
}

// MagnitudeScores need no data: |γ| of a batch norm, and √(Σw²) of a filter that has
// none. That is what |γ| is: the deviation of the channel's values, here for inputs
// of deviation 1 that do not go together. So layers compare whose filters have few
// numbers or many, and a network whose batch norms were folded with one that has
// them; sums of |w| grow with the filter.
func MagnitudeScores(g *graph.Graph, c *Coupling, w graph.Weights) Scores {
	return eachMember(Magnitude, g, c, func(name string, score []float32) {
		d := w.Data(name + ".weight")
		n := len(d) / len(score)
		for k := range score {
			sum := 0.0
			for _, v := range d[k*n : (k+1)*n] {
				sum += float64(v) * float64(v)
			}
			score[k] = float32(math.Sqrt(sum))
		}
	})
}

// RandomScores depend on the seed and the member's name alone.
func RandomScores(g *graph.Graph, c *Coupling, seed uint64) Scores {
	return eachMember(Random, g, c, func(name string, score []float32) {
		h := fnv.New64a()
		h.Write([]byte(name))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		for i := range score {
			score[i] = r.Float32()
		}
	})
}

func eachMember(how Importance, g *graph.Graph, c *Coupling, fill func(name string, score []float32)) Scores {
	s := Scores{Importance: how, Members: map[string][]float32{}}
	for _, members := range Members(g, c) {
		for _, name := range members {
			i, _ := g.Index(name)
			s.Members[name] = make([]float32, g.Shape(i).C)
			fill(name, s.Members[name])
		}
	}
	return s
}
