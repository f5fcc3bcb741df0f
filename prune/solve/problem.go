package solve

import (
	"fmt"
	"iter"
	"slices"
)

// Problem is the pruning MINLP as data. Choose one option x[g] for every
// group and one bit z[b] for every block so as to
//
//	maximise   Σ_l z[block(l)] · importance_l[x[group(l)]]
//	subject to constant + Σ_l z[block(l)] · latency_l[x[group(l)]][x[prev(l)]] ≤ budget
//
// with x[g] in Groups[g].MinOption..MaxOption and z[b] = 1 where Blocks[b] is
// not prunable (Sun et al., MDP, arXiv 2504.02168, section 3). Latency and
// importance are integers in the units the problem names.
type Problem struct {
	Name           string  `json:"name"`
	Capacity       int64   `json:"capacity"`           // the budget the problem was posed with
	Constant       int64   `json:"constant,omitempty"` // latency that no choice changes
	LatencyUnit    string  `json:"latency_unit,omitempty"`
	ImportanceUnit string  `json:"importance_unit,omitempty"`
	Groups         []Group `json:"groups"`
	Blocks         []Block `json:"blocks"`
	Layers         []Layer `json:"layers"`
	Costs          []Cost  `json:"costs,omitempty"` // beside latency; only Joint looks at them
}

// Group is a set of layers whose output channels are kept or cut together.
type Group struct {
	ID                int      `json:"id"` // its index in Problem.Groups
	Layers            []string `json:"layers"`
	Options           int      `json:"options"` // counts option 0, keep nothing
	MinOption         int      `json:"min_option"`
	MaxOption         int      `json:"max_option"`
	ChannelsPerOption int      `json:"channels_per_option"`
	Channels          int      `json:"channels,omitempty"` // that the last option keeps; 0 is as many as that makes
	Allowed           []int    `json:"allowed,omitempty"`  // the options to choose from, MinOption to MaxOption; none is all between
}

// width is how many channels an option keeps, or where the problem does not say,
// how many options.
func (g Group) width(option int) int {
	w := option * max(1, g.ChannelsPerOption)
	if g.Channels > 0 {
		w = min(w, g.Channels)
	}
	return w
}

// choices yields the options to choose from, ascending.
func (g Group) choices() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range g.count() {
			o := g.MinOption + i
			if g.Allowed != nil {
				o = g.Allowed[i]
			}
			if !yield(o) {
				return
			}
		}
	}
}

func (g Group) count() int {
	if g.Allowed != nil {
		return len(g.Allowed)
	}
	return g.MaxOption - g.MinOption + 1
}

func (g Group) allows(option int) bool {
	if g.Allowed != nil {
		return slices.Contains(g.Allowed, option)
	}
	return g.MinOption <= option && option <= g.MaxOption
}

// Block is a set of layers that can be removed as a whole.
type Block struct {
	ID       int      `json:"id"` // its index in Problem.Blocks
	Prunable bool     `json:"prunable"`
	Layers   []string `json:"layers"`
}

// Layer is one measured layer. Group is −1 where its output side is fixed,
// PrevGroup is −1 where its input side is; a fixed side has the one index 0.
type Layer struct {
	Name       string  `json:"name"`
	Group      int     `json:"group"`
	PrevGroup  int     `json:"prev_group"`
	Block      int     `json:"block"`
	Importance []int64 `json:"importance,omitempty"` // by own option, cumulative; none counts as zero
	Latency    Table   `json:"latency"`
}

// Cost is one more additive cost with a budget of its own: the latency on
// another device, parameters, multiplications, bytes. It adds up like latency.
type Cost struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit,omitempty"`
	Capacity int64   `json:"capacity"`           // the budget the problem was posed with
	Constant int64   `json:"constant,omitempty"` // what no choice changes
	Layers   []Table `json:"layers"`             // one per layer, over the same options as its latency
}

// Table is a layer's latency: by its own option alone, or by its own option
// and that of the group before it. One of the two is nil.
type Table struct {
	Own  []int64
	Pair [][]int64 // [own][prev]

	deeper bool // it was read with more sides than two, and without its values
}

// At returns the latency at the layer's own option and the previous group's.
func (t Table) At(own, prev int) int64 {
	if t.Pair == nil {
		return t.Own[own]
	}
	return t.Pair[own][prev]
}

func (l Layer) importance(own int) int64 {
	if len(l.Importance) == 0 {
		return 0
	}
	return l.Importance[own]
}

// Dense is the choice that cuts nothing.
func (p *Problem) Dense() (options []int, blocksOn []bool) {
	options, blocksOn = make([]int, len(p.Groups)), make([]bool, len(p.Blocks))
	for i, g := range p.Groups {
		options[i] = g.MaxOption
	}
	for i := range blocksOn {
		blocksOn[i] = true
	}
	return options, blocksOn
}

// Evaluate returns what a configuration of a valid problem keeps and what it
// costs, straight from the tables: options has one entry per group, blocksOn
// one per block.
func (p *Problem) Evaluate(options []int, blocksOn []bool) (objective, latency int64, err error) {
	if len(options) != len(p.Groups) || len(blocksOn) != len(p.Blocks) {
		return 0, 0, fmt.Errorf("configuration has %d options and %d blocks, the problem %d groups and %d blocks",
			len(options), len(blocksOn), len(p.Groups), len(p.Blocks))
	}
	for i, g := range p.Groups {
		if !g.allows(options[i]) {
			return 0, 0, fmt.Errorf("option %d of group %d is outside %d..%d, or not among its allowed ones",
				options[i], i, g.MinOption, g.MaxOption)
		}
	}
	for i, b := range p.Blocks {
		if !b.Prunable && !blocksOn[i] {
			return 0, 0, fmt.Errorf("block %d is off but not prunable", i)
		}
	}
	latency = p.Constant
	for _, l := range p.Layers {
		if blocksOn[l.Block] {
			own, prev := l.sides(options)
			objective += l.importance(own)
			latency += l.Latency.At(own, prev)
		}
	}
	return objective, latency, nil
}

// CostsOf returns what a configuration costs: its latency, then each of Costs.
func (p *Problem) CostsOf(options []int, blocksOn []bool) ([]int64, error) {
	_, latency, err := p.Evaluate(options, blocksOn)
	if err != nil {
		return nil, err
	}
	costs := []int64{latency}
	for _, c := range p.Costs {
		total := c.Constant
		for i, l := range p.Layers {
			if blocksOn[l.Block] {
				total += c.Layers[i].At(l.sides(options))
			}
		}
		costs = append(costs, total)
	}
	return costs, nil
}

// alone returns the problem with one cost only, in latency's place: 0 is
// latency itself, i is Costs[i−1].
func (p *Problem) alone(cost int) *Problem {
	one := *p
	one.Costs = nil
	if cost > 0 {
		c := p.Costs[cost-1]
		one.LatencyUnit, one.Capacity, one.Constant = c.Unit, c.Capacity, c.Constant
		one.Layers = slices.Clone(p.Layers)
		for i := range one.Layers {
			one.Layers[i].Latency = c.Layers[i]
		}
	}
	return &one
}

// sides returns the options on both sides of the layer, 0 for a fixed side.
func (l Layer) sides(options []int) (own, prev int) {
	if l.Group >= 0 {
		own = options[l.Group]
	}
	if l.PrevGroup >= 0 {
		prev = options[l.PrevGroup]
	}
	return own, prev
}
