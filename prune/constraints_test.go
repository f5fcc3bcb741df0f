package prune

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/nets"
	"mdp/prune/solve"
)

func TestConstraintKeys(t *testing.T) {
	c := Defaults()
	c.Stay, c.Equal = []string{"layer2*"}, []string{"layer3*"}
	c.MinShare, c.MaxShare, c.Multiple = []string{"0.25", "layer3*=0.5"}, []string{"conv1=1"}, []string{"8"}
	got, err := c.Constraints()
	require.NoError(t, err)
	assert.Equal(t, solve.Constraints{Equal: []string{"layer3*"}, Rules: []solve.Rule{
		{Layers: "layer2*", Stay: true},
		{Layers: "*", MinShare: 0.25}, {Layers: "layer3*", MinShare: 0.5},
		{Layers: "conv1", MaxShare: 1},
		{Layers: "*", Multiple: 8},
	}}, got)
	for want, spoil := range map[string]func(c *Config){
		`min-share "50" is neither`:         func(c *Config) { c.MinShare = []string{"50"} },
		`max-share "layer1=NaN" is neither`: func(c *Config) { c.MaxShare = []string{"layer1=NaN"} },
		`max-share "0" is neither`:          func(c *Config) { c.MaxShare = []string{"0"} },
		`multiple "8.5" is neither`:         func(c *Config) { c.Multiple = []string{"8.5"} },
		`multiple "layer1" is neither`:      func(c *Config) { c.Multiple = []string{"layer1"} },
	} {
		c := Defaults()
		spoil(&c)
		require.ErrorContains(t, c.Check(), want)
	}
}

// A pattern fixes what it names, and nothing else.
func TestFixByPattern(t *testing.T) {
	g, err := nets.Build("resnet8-cifar", nets.Options{})
	require.NoError(t, err)
	free, err := Couple(g)
	require.NoError(t, err)
	c, err := Couple(g)
	require.NoError(t, err)
	require.NoError(t, c.fix(g, "layer2*.conv1"))
	fixed := 0
	for i, group := range c.Groups {
		if group.Fixed != free.Groups[i].Fixed {
			fixed++
			assert.Contains(t, group.Producers[0], "layer2")
		}
	}
	assert.Equal(t, 1, fixed)
	require.ErrorContains(t, c.fix(g, "layer9*"), "no layer of that name")
	require.ErrorContains(t, c.fix(g, "layer[1-"), "brackets")
}

// Constraints of a run hold in the answer it leaves, which is of all its groups.
func TestConstrainedRun(t *testing.T) {
	c := quick()
	c.Equal, c.Stay, c.MinShare, c.Baselines = []string{"layer1.?.conv1"}, []string{"layer1*"}, []string{"layer3*=0.5"}, true
	p, _, err := stages(t, t.TempDir(), c)
	require.NoError(t, err)
	s, _ := space(t, "resnet14-cifar", 2)
	scores := RandomScores(s.Graph, s.Coupling, 1)
	problem, err := s.Problem(scores, func(c engine.Call) (int64, bool) {
		if conv, ok := c.(engine.ConvForward); ok {
			return conv.MACs(), true
		}
		return 1000, true
	})
	require.NoError(t, err)
	dense := int64(0)
	for _, l := range problem.Layers {
		own, prev := len(l.Latency.Pair)-1, 0
		if l.PrevGroup >= 0 {
			prev = problem.Groups[l.PrevGroup].MaxOption
		}
		dense += l.Latency.At(max(own, len(l.Latency.Own)-1), prev)
	}
	require.NoError(t, p.WriteJSON("dense.json", denseLatency{Observed: bench.Observed{LatencyNS: dense}, SumNS: dense}))
	require.NoError(t, p.answer(context.Background(), s, problem, bench.Filled{}))

	a, err := p.solution("0.6x")
	require.NoError(t, err)
	require.Len(t, a.Baselines, 4)
	_, latency, err := problem.Evaluate(a.Options, a.BlocksOn)
	require.NoError(t, err)
	require.Equal(t, a.Latency, latency)
	choice, err := s.Choice(scores, a.Solution)
	require.NoError(t, err)
	kept := func(name string) int { return len(choice.Keep[s.Coupling.OutGroup(s.Coupling.index[name])]) }
	assert.Equal(t, kept("layer1.0.conv1"), kept("layer1.1.conv1"))
	for _, group := range s.Coupling.Groups {
		if slices.ContainsFunc(group.Producers, func(name string) bool { return strings.HasPrefix(name, "layer3") }) {
			assert.GreaterOrEqual(t, 2*len(choice.Keep[group.ID]), group.Channels)
		}
	}
	for i, b := range s.Coupling.Blocks {
		assert.True(t, choice.BlockOn[i] || !strings.HasPrefix(b.Layers[0], "layer1"), b.Name)
	}
}
