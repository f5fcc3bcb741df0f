package solve

import (
	"errors"
	"fmt"
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
}

// Group is a set of layers whose output channels are kept or cut together.
type Group struct {
	ID                int      `json:"id"` // its index in Problem.Groups
	Layers            []string `json:"layers"`
	Options           int      `json:"options"` // counts option 0, keep nothing
	MinOption         int      `json:"min_option"`
	MaxOption         int      `json:"max_option"`
	ChannelsPerOption int      `json:"channels_per_option"`
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

// Table is a layer's latency: by its own option alone, or by its own option
// and that of the group before it. One of the two is nil.
type Table struct {
	Own  []int64
	Pair [][]int64 // [own][prev]
}

// At returns the latency at the layer's own option and the previous group's.
func (t Table) At(own, prev int) int64 {
	if t.Pair == nil {
		return t.Own[own]
	}
	return t.Pair[own][prev]
}

const (
	maxOptions = 1 << 16 // of one group
	maxTotal   = 1 << 56 // of all latencies, and of all importances, of one problem
)

// Validate reports the first thing in the problem that cannot be solved.
// Only cells that some allowed choice reaches are looked at.
func (p *Problem) Validate() error {
	for i, g := range p.Groups {
		switch {
		case g.ID != i:
			return fmt.Errorf("group at index %d has id %d: ids must count up from 0", i, g.ID)
		case g.Options > maxOptions:
			return fmt.Errorf("group %d has %d options, more than %d: use larger channel steps", i, g.Options, maxOptions)
		case g.MinOption < 0 || g.MinOption > g.MaxOption || g.MaxOption >= g.Options:
			return fmt.Errorf("group %d allows options %d..%d of %d: want 0 ≤ min_option ≤ max_option < options",
				i, g.MinOption, g.MaxOption, g.Options)
		}
	}
	for i, b := range p.Blocks {
		if b.ID != i {
			return fmt.Errorf("block at index %d has id %d: ids must count up from 0", i, b.ID)
		}
	}
	if p.Constant < 0 || p.Constant > maxTotal {
		return fmt.Errorf("constant latency %d is outside 0..%d", p.Constant, int64(maxTotal))
	}
	latency, importance := p.Constant, int64(0)
	for _, l := range p.Layers {
		worst, most, err := p.validateLayer(l)
		if err != nil {
			return fmt.Errorf("layer %q: %w", l.Name, err)
		}
		latency += worst
		importance += most
		if latency > maxTotal || importance > maxTotal {
			return fmt.Errorf("layer %q: the problem's latencies or importances add up to more than 2^56: scale the unit", l.Name)
		}
	}
	return nil
}

// validateLayer returns the largest latency and the largest magnitude of an
// importance among the cells that can be chosen.
func (p *Problem) validateLayer(l Layer) (latency, importance int64, err error) {
	if l.Block < 0 || l.Block >= len(p.Blocks) {
		return 0, 0, fmt.Errorf("block %d does not exist: there are %d", l.Block, len(p.Blocks))
	}
	ownLo, ownHi, err := p.optionRange(l.Group)
	if err != nil {
		return 0, 0, err
	}
	prevLo, prevHi, err := p.optionRange(l.PrevGroup)
	if err != nil {
		return 0, 0, err
	}
	if (l.Latency.Own == nil) == (l.Latency.Pair == nil) {
		return 0, 0, errors.New("latency must be a list or a list of lists, with at least one value")
	}
	if rows := max(len(l.Latency.Own), len(l.Latency.Pair)); rows <= ownHi {
		return 0, 0, fmt.Errorf("latency has %d rows, its group %d allows options up to %d", rows, l.Group, ownHi)
	}
	if len(l.Importance) > 0 && len(l.Importance) <= ownHi {
		return 0, 0, fmt.Errorf("importance has %d values, its group %d allows options up to %d",
			len(l.Importance), l.Group, ownHi)
	}
	for own := ownLo; own <= ownHi; own++ {
		if l.Latency.Pair != nil && len(l.Latency.Pair[own]) <= prevHi {
			return 0, 0, fmt.Errorf("latency row %d has %d values, the previous group %d allows options up to %d",
				own, len(l.Latency.Pair[own]), l.PrevGroup, prevHi)
		}
		for prev := prevLo; prev <= prevHi; prev++ {
			v := l.Latency.At(own, prev)
			if v < 0 || v > maxTotal {
				return 0, 0, fmt.Errorf("latency [%d][%d] = %d is outside 0..2^56", own, prev, v)
			}
			latency = max(latency, v)
			if l.Latency.Pair == nil {
				break
			}
		}
		v := l.importance(own)
		if v < -maxTotal || v > maxTotal {
			return 0, 0, fmt.Errorf("importance [%d] = %d is outside ±2^56", own, v)
		}
		importance = max(importance, v, -v)
	}
	return latency, importance, nil
}

// optionRange returns a group's first and last allowed option; 0, 0 for −1.
func (p *Problem) optionRange(group int) (lo, hi int, err error) {
	if group == -1 {
		return 0, 0, nil
	}
	if group < 0 || group >= len(p.Groups) {
		return 0, 0, fmt.Errorf("group %d does not exist: there are %d, and −1 stands for none", group, len(p.Groups))
	}
	return p.Groups[group].MinOption, p.Groups[group].MaxOption, nil
}

func (l Layer) importance(own int) int64 {
	if len(l.Importance) == 0 {
		return 0
	}
	return l.Importance[own]
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
		if options[i] < g.MinOption || options[i] > g.MaxOption {
			return 0, 0, fmt.Errorf("option %d of group %d is outside %d..%d", options[i], i, g.MinOption, g.MaxOption)
		}
	}
	for i, b := range p.Blocks {
		if !b.Prunable && !blocksOn[i] {
			return 0, 0, fmt.Errorf("block %d is off but not prunable", i)
		}
	}
	at := func(group int) int {
		if group == -1 {
			return 0
		}
		return options[group]
	}
	latency = p.Constant
	for _, l := range p.Layers {
		if !blocksOn[l.Block] {
			continue
		}
		objective += l.importance(at(l.Group))
		latency += l.Latency.At(at(l.Group), at(l.PrevGroup))
	}
	return objective, latency, nil
}
