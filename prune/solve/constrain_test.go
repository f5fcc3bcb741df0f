package solve

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The constrained problem's optimum is the best of the configurations of the
// original problem that meet the constraints, found by enumeration.
func TestConstrainAgainstBruteForce(t *testing.T) {
	for i := range few(1000) {
		name := fmt.Sprintf("constrain-%d", i)
		t.Run(name, func(t *testing.T) {
			r := seeded(name)
			p := randomProblem(r, shapes[i%len(shapes)], 2+r.IntN(3), 5)
			for g := range p.Groups {
				p.Groups[g].Layers = []string{fmt.Sprint("group", g)}
				p.Groups[g].ChannelsPerOption = 4
				if full := 4 * (p.Groups[g].Options - 1); full > 0 && r.IntN(2) == 0 {
					p.Groups[g].Channels = full - r.IntN(4)
				}
			}
			for b := range p.Blocks {
				p.Blocks[b].Layers = []string{fmt.Sprint("block", b)}
			}
			var c Constraints
			rules := []Rule{
				{Layers: "group0", Whole: true},
				{Layers: "block*", Stay: true},
				{Layers: "group1", MinShare: 0.4},
				{Layers: "group?", MaxShare: 0.8},
				{Layers: "*1", Multiple: 8},
			}
			for _, rule := range rules {
				if r.IntN(3) == 0 {
					c.Rules = append(c.Rules, rule)
				}
			}
			if r.IntN(2) == 0 {
				c.Equal = []string{"group?"} // the first two
				for g := 2; g < len(p.Groups); g++ {
					p.Groups[g].Layers[0] = "other"
				}
			}
			best := map[int64]int64{}
			everyChoice(p, func(options []int, blocks []bool) {
				if meets(p, c, options, blocks) {
					importance, latency, err := p.Evaluate(options, blocks)
					require.NoError(t, err)
					if v, ok := best[latency]; !ok || importance > v {
						best[latency] = importance
					}
				}
			})
			q, group, err := Constrain(p, c)
			if len(best) == 0 {
				require.ErrorContains(t, err, "no option of group")
				return
			}
			require.NoError(t, err)
			require.NoError(t, q.Validate())
			front, err := wholeFront(context.Background(), q, Options{})
			require.NoError(t, err)
			require.Equal(t, frontOf(best), front)

			last := front[len(front)-1]
			s, err := Optimum(context.Background(), q, last.Latency, Options{})
			require.NoError(t, err)
			options := Spread(s.Options, group)
			require.True(t, meets(p, c, options, s.BlocksOn))
			importance, latency, err := p.Evaluate(options, s.BlocksOn)
			require.NoError(t, err)
			require.Equal(t, last, Point{latency, importance})
		})
	}
}

// meets reads the constraints of the test above off a configuration.
func meets(p *Problem, c Constraints, options []int, blocks []bool) bool {
	for _, r := range c.Rules {
		if r.Stay && slices.Contains(blocks, false) {
			return false
		}
		for g, o := range options {
			names := slices.Clone(p.Groups[g].Layers)
			for _, l := range p.Layers {
				if l.Group == g {
					names = append(names, l.Name)
				}
			}
			if !slices.ContainsFunc(names, func(name string) bool {
				ok, _ := path.Match(r.Layers, name)
				return ok
			}) {
				continue
			}
			if p.Groups[g].count() == 1 {
				continue
			}
			full, widest := 4*(p.Groups[g].Options-1), p.Groups[g].MaxOption
			if p.Groups[g].Channels > 0 {
				full = p.Groups[g].Channels
			}
			keeps := min(4*o, full)
			if r.Whole && o != widest || 10*keeps < int(10*r.MinShare)*full || r.MaxShare > 0 && 10*keeps > int(10*r.MaxShare)*full ||
				r.Multiple > 0 && o%2 != 0 && o != widest {
				return false
			}
		}
	}
	return len(c.Equal) == 0 || options[0] == options[1]
}

func TestConstrainPublished(t *testing.T) {
	p := readInstance(t, "rn50_mdp_04")
	free, err := Optimum(context.Background(), p, p.Capacity, Options{})
	require.NoError(t, err)
	q, _, err := Constrain(p, Constraints{
		Rules: []Rule{{Layers: "*layer4*", Whole: true}, {Layers: "*", Multiple: 64}, {Layers: "*layer2*", Stay: true}},
		Equal: []string{"module.layer3.[1-5].conv2"},
	})
	require.NoError(t, err)
	require.NoError(t, p.Validate(), "the problem given stays as it was")
	s, err := Optimum(context.Background(), q, p.Capacity, Options{})
	require.NoError(t, err)
	require.Equal(t, Optimal, s.Status)
	require.Less(t, s.Objective, free.Objective)
	widths := map[int]bool{}
	for g, group := range q.Groups {
		channels := s.Options[g] * group.ChannelsPerOption
		require.True(t, channels%64 == 0 || s.Options[g] == group.MaxOption)
		for _, name := range group.Layers {
			if regexp.MustCompile(`layer3\.[1-5]\.conv2$`).MatchString(name) {
				widths[channels] = true
			}
		}
	}
	require.Len(t, widths, 1)
}

func TestBadConstraints(t *testing.T) {
	p := readInstance(t, "rn50_mdp_04")
	for want, c := range map[string]Constraints{
		`constraint on "layer9*": no layer has such a name`: {Rules: []Rule{{Layers: "layer9*", Whole: true}}},
		"must be in 0..1":                        {Rules: []Rule{{Layers: "*", MinShare: 50}}},
		"no option of group":                     {Rules: []Rule{{Layers: "*", MaxShare: 1e-3}}},
		"give them one channel step":             {Equal: []string{"*"}},
		`equal widths of "x": no layer has such`: {Equal: []string{"x"}},
		"brackets must hold":                     {Equal: []string{"conv[1-"}},
	} {
		_, _, err := Constrain(p, c)
		require.ErrorContains(t, err, want)
	}
}
