package solve

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Baseline is what a simpler method would have chosen, evaluated by the
// problem's own tables: the optimum's gain over it is what modelling the whole buys.
type Baseline struct {
	Name      string  `json:"name"`
	Found     bool    `json:"found"` // the method has an answer at this budget; else nothing below counts
	Fits      bool    `json:"fits"`  // its latency is truly within the budget
	Objective int64   `json:"objective"`
	Latency   int64   `json:"latency"`
	Seconds   float64 `json:"seconds"`
	Options   []int   `json:"options"` // one per group
	BlocksOn  []bool  `json:"blocks"`
}

// Baselines answers one budget by simpler methods:
//
//	output channels  latency by a layer's own channels alone, its input taken to be whole
//	channels only    no block goes
//	halp             both: the model of HALP (Shen et al., arXiv 2110.10811)
//	greedy           from the whole network, again and again the step that loses least importance per latency saved
func Baselines(ctx context.Context, p *Problem, budget int64, opts Options) ([]Baseline, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("problem %q: %w", p.Name, err)
	}
	var all []Baseline
	for _, simple := range []struct {
		name    string
		problem *Problem
	}{
		{"output channels", OutputOnly(p)},
		{"channels only", channelsOnly(p)},
		{"halp", channelsOnly(OutputOnly(p))},
	} {
		s, err := Optimum(ctx, simple.problem, budget, opts)
		if err != nil {
			return nil, fmt.Errorf("baseline %s: %w", simple.name, err)
		}
		b := Baseline{Name: simple.name, Found: s.Options != nil, Options: s.Options, BlocksOn: s.BlocksOn, Seconds: s.Seconds}
		all = append(all, b)
	}
	began := time.Now()
	b := Baseline{Name: "greedy"}
	b.Options, b.BlocksOn, b.Found = greedy(ctx, p, budget)
	b.Seconds = time.Since(began).Seconds()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("baseline greedy: %w", err)
	}
	all = append(all, b)
	for i := range all {
		b := &all[i]
		if !b.Found {
			continue
		}
		var err error
		if b.Objective, b.Latency, err = p.Evaluate(b.Options, b.BlocksOn); err != nil {
			return nil, fmt.Errorf("baseline %s: %w", b.Name, err)
		}
		b.Fits = b.Latency <= budget
	}
	return all, nil
}

// OutputOnly takes every layer's input to be as wide as it may be.
func OutputOnly(p *Problem) *Problem {
	q := *p
	q.Layers = slices.Clone(p.Layers)
	for i, l := range q.Layers {
		if l.Latency.Pair == nil {
			continue
		}
		widest := 0
		if l.PrevGroup >= 0 {
			widest = p.Groups[l.PrevGroup].MaxOption
		}
		own := make([]int64, len(l.Latency.Pair))
		for o, row := range l.Latency.Pair {
			if widest < len(row) { // rows that no choice reaches may be short
				own[o] = row[widest]
			}
		}
		q.Layers[i].Latency = Table{Own: own}
	}
	return &q
}

// channelsOnly lets no block go.
func channelsOnly(p *Problem) *Problem {
	q := *p
	q.Blocks = slices.Clone(p.Blocks)
	for i := range q.Blocks {
		q.Blocks[i].Prunable = false
	}
	return &q
}

// greedy starts with everything and narrows a group or drops a block, whichever
// loses the least importance per latency saved, until the budget is met;
// found is false where it gets stuck first.
func greedy(ctx context.Context, p *Problem, budget int64) (options []int, blocksOn []bool, found bool) {
	var ofGroup, ofBlock [][]int // the layers that a change touches
	ofGroup, ofBlock = make([][]int, len(p.Groups)), make([][]int, len(p.Blocks))
	for i, l := range p.Layers {
		ofBlock[l.Block] = append(ofBlock[l.Block], i)
		if l.Group >= 0 {
			ofGroup[l.Group] = append(ofGroup[l.Group], i)
		}
		if l.PrevGroup >= 0 && l.PrevGroup != l.Group {
			ofGroup[l.PrevGroup] = append(ofGroup[l.PrevGroup], i)
		}
	}
	for _, g := range p.Groups {
		options = append(options, g.MaxOption)
	}
	for range p.Blocks {
		blocksOn = append(blocksOn, true)
	}
	sum := func(layers []int) (at Point) {
		for _, i := range layers {
			if l := p.Layers[i]; blocksOn[l.Block] {
				own, prev := l.sides(options)
				at.Importance += l.importance(own)
				at.Latency += l.Latency.At(own, prev)
			}
		}
		return at
	}
	_, latency, _ := p.Evaluate(options, blocksOn)
	for latency > budget && ctx.Err() == nil {
		least, saved := 0.0, int64(0) // of the best step so far
		group, option, block := -1, 0, -1
		consider := func(before, after Point) bool {
			save := before.Latency - after.Latency
			loss := float64(before.Importance-after.Importance) / float64(save)
			if save <= 0 || saved > 0 && loss >= least {
				return false
			}
			least, saved = loss, save
			return true
		}
		for g := range p.Groups {
			now, before := options[g], sum(ofGroup[g])
			for o := range p.Groups[g].choices() {
				if o >= now {
					break
				}
				options[g] = o
				if consider(before, sum(ofGroup[g])) {
					group, option, block = g, o, -1
				}
			}
			options[g] = now
		}
		for b, bl := range p.Blocks {
			if bl.Prunable && blocksOn[b] && consider(sum(ofBlock[b]), Point{}) {
				group, block = -1, b
			}
		}
		switch {
		case saved == 0:
			return nil, nil, false
		case block >= 0:
			blocksOn[block] = false
		default:
			options[group] = option
		}
		latency -= saved
	}
	return options, blocksOn, latency <= budget
}
