package prune

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mdp/engine/graph"
	"mdp/engine/nets"
)

// ResNet-101 is ResNet-50 with more of the same blocks: both together have no more
// configurations than each alone.
func TestConfigurationsOfSeveralNetworks(t *testing.T) {
	build := func(name string) *graph.Graph {
		g, err := nets.Build(name, nets.Options{})
		require.NoError(t, err)
		return g
	}
	count := func(names ...string) map[string]bool {
		var graphs []*graph.Graph
		for _, name := range names {
			graphs = append(graphs, build(name))
		}
		calls, err := Configurations(graphs, 256, 64)
		require.NoError(t, err)
		keys := map[string]bool{}
		for _, c := range calls {
			keys[c.String()] = true
		}
		assert.Len(t, keys, len(calls), "each once")
		return keys
	}
	rn50, both := count("resnet50"), count("resnet50", "resnet101")
	assert.Equal(t, rn50, both)
	assert.Subset(t, count("resnet50", "mobilenet_v2"), rn50)
	assert.Greater(t, len(count("resnet50", "mobilenet_v2")), len(rn50))
}
