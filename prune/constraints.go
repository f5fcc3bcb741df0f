package prune

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mdp/engine/graph"
	"mdp/prune/solve"
)

// Constraints are what the keys stay, min-share, max-share, multiple and equal
// ask of the solver. Fix is none of them: what is fixed is not even measured.
func (c Config) Constraints() (solve.Constraints, error) {
	constraints := solve.Constraints{Equal: c.Equal}
	for _, pattern := range c.Stay {
		constraints.Rules = append(constraints.Rules, solve.Rule{Layers: pattern, Stay: true})
	}
	for _, key := range []struct {
		name    string
		values  []string
		example string
		ok      func(v float64) bool
		set     func(*solve.Rule, float64)
	}{
		{"min-share", c.MinShare, "0.25", share, func(r *solve.Rule, v float64) { r.MinShare = v }},
		{"max-share", c.MaxShare, "0.8", share, func(r *solve.Rule, v float64) { r.MaxShare = v }},
		{"multiple", c.Multiple, "16", count, func(r *solve.Rule, v float64) { r.Multiple = int(v) }},
	} {
		for _, s := range key.values {
			pattern, number := "*", s
			if at := strings.LastIndex(s, "="); at >= 0 {
				pattern, number = s[:at], s[at+1:]
			}
			v, err := strconv.ParseFloat(number, 64)
			if err != nil || !key.ok(v) {
				return solve.Constraints{}, fmt.Errorf("%s %q is neither a number such as %s nor one for some layers such as layer3*=%[3]s",
					key.name, s, key.example)
			}
			rule := solve.Rule{Layers: pattern}
			key.set(&rule, v)
			constraints.Rules = append(constraints.Rules, rule)
		}
	}
	return constraints, nil
}

func share(v float64) bool { return v > 0 && v <= 1 }
func count(v float64) bool { return v >= 1 && v <= math.MaxInt32 && v == math.Trunc(v) }

// fix fixes every layer that a pattern names.
func (c *Coupling) fix(g *graph.Graph, pattern string) error {
	match, err := solve.Pattern(pattern)
	if err != nil {
		return fmt.Errorf("cannot fix %q: %w", pattern, err)
	}
	found := false
	for i := range g.Len() {
		name := g.Node(i).Name
		if match.MatchString(name) && len(c.out[i]) > 0 {
			found = true
			if err := c.Fix(name, "asked for by fix"); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("cannot fix %q: the network has no layer of that name", pattern)
	}
	return nil
}

// constrain narrows a run's problem down. group[g] is where its group g went.
func (c Config) constrain(s *Steps, p *solve.Problem) (q *solve.Problem, group []int, err error) {
	constraints, err := c.Constraints()
	if err != nil {
		return nil, nil, err
	}
	q, group, err = solve.Constrain(p, constraints)
	if err != nil {
		return nil, nil, err
	}
	first := make([]int, len(q.Groups)) // of the groups that became one
	for g := len(group) - 1; g >= 0; g-- {
		first[group[g]] = g
	}
	for g, to := range group {
		for o := q.Groups[to].MinOption; o <= q.Groups[to].MaxOption; o++ {
			if f := first[to]; s.channels(g, o) != s.channels(f, o) {
				return nil, nil, fmt.Errorf("equal: option %d is %d channels of %v but %d of %v: give a step that divides both widths",
					o, s.channels(f, o), p.Groups[f].Layers, s.channels(g, o), p.Groups[g].Layers)
			}
		}
	}
	return q, group, nil
}
