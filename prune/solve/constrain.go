package solve

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Constraints narrow a problem down. A pattern names layers: * stands for any
// run of characters, ? for one, [1-3] for one of these; a group or block is named by any layer in it.
type Constraints struct {
	Rules []Rule   `json:"rules,omitempty"` // all of them, in any order
	Equal []string `json:"equal,omitempty"` // per pattern: the layers it names keep equal numbers of channels
}

// Rule constrains the groups and blocks of the layers that its pattern names.
type Rule struct {
	Layers   string  `json:"layers"`
	Whole    bool    `json:"whole,omitempty"`     // keep all channels there are
	Stay     bool    `json:"stay,omitempty"`      // the block may not go
	MinShare float64 `json:"min_share,omitempty"` // of the full width, 0..1; 0 is no limit
	MaxShare float64 `json:"max_share,omitempty"`
	Multiple int     `json:"multiple,omitempty"` // of channels; the widest option given, whatever its number of channels, may stay
}

// Constrain returns a new problem with fewer choices; p stays as it is and
// shares its tables. Groups made equal become one, and the groups after them
// move up: group[g] is where p's group g went, see Spread. A group with one option only is left as it is. What
// cannot be met, or names nothing, is an error.
func Constrain(p *Problem, c Constraints) (q *Problem, group []int, err error) {
	if err := p.Validate(); err != nil {
		return nil, nil, fmt.Errorf("problem %q: %w", p.Name, err)
	}
	narrow := *p
	q = &narrow
	q.Groups, q.Blocks, q.Layers = slices.Clone(p.Groups), slices.Clone(p.Blocks), slices.Clone(p.Layers)
	for _, r := range c.Rules {
		if err := q.constrain(r, p); err != nil {
			return nil, nil, fmt.Errorf("constraint on %q: %w", r.Layers, err)
		}
	}
	group = make([]int, len(p.Groups))
	for i := range group {
		group[i] = i
	}
	for _, pattern := range c.Equal {
		groups, _, err := q.named(pattern)
		if err != nil {
			return nil, nil, fmt.Errorf("equal widths of %q: %w", pattern, err)
		}
		moved, err := q.merge(groups)
		if err != nil {
			return nil, nil, fmt.Errorf("equal widths of %q: %w", pattern, err)
		}
		for i, g := range group {
			group[i] = moved[g]
		}
	}
	return q, group, nil
}

// Spread returns an answer's options for the groups there were before Constrain.
func Spread(options, group []int) []int {
	if options == nil {
		return nil
	}
	spread := make([]int, len(group))
	for g, to := range group {
		spread[g] = options[to]
	}
	return spread
}

func (p *Problem) constrain(r Rule, given *Problem) error {
	if !(r.MinShare >= 0 && r.MinShare <= 1 && r.MaxShare >= 0 && r.MaxShare <= 1) || r.Multiple < 0 {
		return fmt.Errorf("shares %g, %g must be in 0..1 and the multiple %d positive", r.MinShare, r.MaxShare, r.Multiple)
	}
	groups, blocks, err := p.named(r.Layers)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		p.Blocks[b].Prunable = p.Blocks[b].Prunable && !r.Stay
	}
	for _, i := range groups {
		g := &p.Groups[i]
		if given.Groups[i].count() == 1 {
			continue
		}
		full, widest := g.width(g.Options-1), given.Groups[i].MaxOption
		err := g.restrict(func(o int) bool {
			share := float64(g.width(o)) / float64(full)
			switch {
			case r.Whole && o != widest,
				share < r.MinShare-1e-9,
				r.MaxShare > 0 && share > r.MaxShare+1e-9,
				r.Multiple > 0 && o*g.ChannelsPerOption%r.Multiple != 0 && o != widest:
				return false
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// restrict keeps the options that satisfy keep.
func (g *Group) restrict(keep func(option int) bool) error {
	var left []int
	for o := range g.choices() {
		if keep(o) {
			left = append(left, o)
		}
	}
	if len(left) == 0 {
		return fmt.Errorf("no option of group %d (%s) is left: it had %d..%d of %d, %d channels each",
			g.ID, strings.Join(g.Layers, ", "), g.MinOption, g.MaxOption, g.Options-1, g.ChannelsPerOption)
	}
	g.MinOption, g.MaxOption, g.Allowed = left[0], left[len(left)-1], left
	if len(left) == g.MaxOption-g.MinOption+1 {
		g.Allowed = nil
	}
	return nil
}

// Pattern returns the expression that matches the names a pattern stands for.
func Pattern(pattern string) (*regexp.Regexp, error) {
	expr := strings.NewReplacer(`\*`, `.*`, `\?`, `.`, `\[`, `[`, `\]`, `]`).Replace(regexp.QuoteMeta(pattern))
	match, err := regexp.Compile(`^(?s:` + expr + `)$`)
	if err != nil {
		return nil, errors.New("brackets must hold a set of characters, as in layer[1-3]")
	}
	return match, nil
}

// named returns the groups and blocks of the layers a pattern names.
func (p *Problem) named(pattern string) (groups, blocks []int, err error) {
	match, err := Pattern(pattern)
	if err != nil {
		return nil, nil, err
	}
	for _, g := range p.Groups {
		if slices.ContainsFunc(g.Layers, match.MatchString) {
			groups = append(groups, g.ID)
		}
	}
	for _, b := range p.Blocks {
		if slices.ContainsFunc(b.Layers, match.MatchString) {
			blocks = append(blocks, b.ID)
		}
	}
	found := len(groups)+len(blocks) > 0
	for _, l := range p.Layers {
		if match.MatchString(l.Name) {
			found = true
			blocks = append(blocks, l.Block)
			if l.Group >= 0 {
				groups = append(groups, l.Group)
			}
		}
	}
	if !found {
		return nil, nil, errors.New("no layer has such a name")
	}
	slices.Sort(groups)
	slices.Sort(blocks)
	return slices.Compact(groups), slices.Compact(blocks), nil
}

// merge makes the groups one: the first, with the options that all of them
// allow. It returns where each group went.
func (p *Problem) merge(groups []int) (moved []int, err error) {
	if len(groups) == 0 {
		return nil, errors.New("no channels can be chosen there")
	}
	into := &p.Groups[groups[0]]
	into.Layers = slices.Clone(into.Layers)
	for _, i := range groups[1:] {
		g := &p.Groups[i]
		if g.ChannelsPerOption != into.ChannelsPerOption {
			return nil, fmt.Errorf("an option is %d channels of group %d (%s) but %d of group %d (%s): give them one channel step",
				into.ChannelsPerOption, into.ID, strings.Join(into.Layers, ", "), g.ChannelsPerOption, i, strings.Join(g.Layers, ", "))
		}
		if err := into.restrict(g.allows); err != nil {
			return nil, err
		}
		if g.Options < into.Options {
			into.Options, into.Channels = g.Options, g.Channels
		}
		into.Layers = append(into.Layers, g.Layers...)
	}
	moved = make([]int, len(p.Groups))
	left := p.Groups[:0:0]
	for i, g := range p.Groups {
		if i != groups[0] && slices.Contains(groups, i) {
			moved[i] = moved[groups[0]]
			continue
		}
		moved[i] = len(left)
		g.ID = len(left)
		left = append(left, g)
	}
	p.Groups = left
	for i := range p.Layers {
		for _, side := range []*int{&p.Layers[i].Group, &p.Layers[i].PrevGroup} {
			if *side >= 0 {
				*side = moved[*side]
			}
		}
	}
	return moved, nil
}
