package solve

import "fmt"

const (
	maxOptions = 1 << 16 // of one group
	maxTotal   = 1 << 56 // of all latencies, and of all importances, of one problem
	maxCosts   = 3       // latency among them
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
		case g.ChannelsPerOption < 0 || g.Channels < 0:
			return fmt.Errorf("group %d has %d channels, %d to an option: neither can be negative", i, g.Channels, g.ChannelsPerOption)
		case g.MinOption < 0 || g.MinOption > g.MaxOption || g.MaxOption >= g.Options:
			return fmt.Errorf("group %d allows options %d..%d of %d: want 0 ≤ min_option ≤ max_option < options",
				i, g.MinOption, g.MaxOption, g.Options)
		}
		if n := len(g.Allowed); g.Allowed != nil {
			if n == 0 || !rising(g.Allowed) || g.Allowed[0] != g.MinOption || g.Allowed[n-1] != g.MaxOption {
				return fmt.Errorf("group %d allows %v: want rising options from min_option %d to max_option %d",
					i, g.Allowed, g.MinOption, g.MaxOption)
			}
		}
	}
	for i, b := range p.Blocks {
		if b.ID != i {
			return fmt.Errorf("block at index %d has id %d: ids must count up from 0", i, b.ID)
		}
	}
	importance := int64(0)
	for _, l := range p.Layers {
		most, err := p.validateImportance(l)
		if err != nil {
			return fmt.Errorf("layer %q: %w", l.Name, err)
		}
		if importance += most; importance > maxTotal {
			return fmt.Errorf("layer %q: the problem's importances add up to more than 2^56: scale the unit", l.Name)
		}
	}
	if err := p.validateCost("latency", p.Constant, func(layer int) Table { return p.Layers[layer].Latency }); err != nil {
		return err
	}
	if len(p.Costs) >= maxCosts {
		return fmt.Errorf("%d costs beside latency, at most %d", len(p.Costs), maxCosts-1)
	}
	for i, c := range p.Costs {
		name := fmt.Sprintf("cost %d (%s)", i, c.Name)
		if len(c.Layers) != len(p.Layers) {
			return fmt.Errorf("%s has %d tables, the problem %d layers", name, len(c.Layers), len(p.Layers))
		}
		if err := p.validateCost(name, c.Constant, func(layer int) Table { return c.Layers[layer] }); err != nil {
			return err
		}
	}
	return nil
}

// validateImportance returns the largest magnitude of an importance that can be chosen.
func (p *Problem) validateImportance(l Layer) (most int64, err error) {
	if l.Block < 0 || l.Block >= len(p.Blocks) {
		return 0, fmt.Errorf("block %d does not exist: there are %d", l.Block, len(p.Blocks))
	}
	lo, hi, err := p.optionRange(l.Group)
	if err != nil || len(l.Importance) == 0 {
		return 0, err
	}
	if len(l.Importance) <= hi {
		return 0, fmt.Errorf("importance has %d values, its group %d allows options up to %d", len(l.Importance), l.Group, hi)
	}
	for own := lo; own <= hi; own++ {
		v := l.Importance[own]
		if v < -maxTotal || v > maxTotal {
			return 0, fmt.Errorf("importance [%d] = %d is outside ±2^56", own, v)
		}
		most = max(most, v, -v)
	}
	return most, nil
}

func (p *Problem) validateCost(name string, constant int64, table func(layer int) Table) error {
	if constant < 0 || constant > maxTotal {
		return fmt.Errorf("constant %s %d is outside 0..%d", name, constant, int64(maxTotal))
	}
	total := constant
	for i, l := range p.Layers {
		worst, err := p.validateTable(name, l, table(i))
		if err != nil {
			return fmt.Errorf("layer %q: %w", l.Name, err)
		}
		if total += worst; total > maxTotal {
			return fmt.Errorf("layer %q: the problem's cells of %s add up to more than 2^56: scale the unit", l.Name, name)
		}
	}
	return nil
}

// validateTable returns the largest cell that can be chosen.
func (p *Problem) validateTable(name string, l Layer, t Table) (worst int64, err error) {
	ownLo, ownHi, err := p.optionRange(l.Group)
	if err != nil {
		return 0, err
	}
	prevLo, prevHi, err := p.optionRange(l.PrevGroup)
	if err != nil {
		return 0, err
	}
	if t.deeper {
		return 0, fmt.Errorf("%s is a table over three groups or more, as behind a concatenation; it can be over the layer's own group and one before it", name)
	}
	if (t.Own == nil) == (t.Pair == nil) {
		return 0, fmt.Errorf("%s must be a list or a list of lists, with at least one value", name)
	}
	if rows := max(len(t.Own), len(t.Pair)); rows <= ownHi {
		return 0, fmt.Errorf("%s has %d rows, its group %d allows options up to %d", name, rows, l.Group, ownHi)
	}
	for own := ownLo; own <= ownHi; own++ {
		if t.Pair != nil && len(t.Pair[own]) <= prevHi {
			return 0, fmt.Errorf("%s row %d has %d values, the previous group %d allows options up to %d",
				name, own, len(t.Pair[own]), l.PrevGroup, prevHi)
		}
		for prev := prevLo; prev <= prevHi; prev++ {
			v := t.At(own, prev)
			if v < 0 || v > maxTotal {
				return 0, fmt.Errorf("%s [%d][%d] = %d is outside 0..2^56", name, own, prev, v)
			}
			worst = max(worst, v)
			if t.Pair == nil {
				break
			}
		}
	}
	return worst, nil
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

func rising(options []int) bool {
	for i := 1; i < len(options); i++ {
		if options[i] <= options[i-1] {
			return false
		}
	}
	return true
}
