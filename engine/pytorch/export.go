package pytorch

import (
	"gorgonia.org/tensor"

	"mdp/engine/graph"
	"mdp/engine/safetensors"
)

// WriteStateDict writes weights as a safetensors file that PyTorch reads: g's
// names, channels first.
func WriteStateDict(path string, g *graph.Graph, w graph.Weights, metadata map[string]string) error {
	if err := g.ChannelsFirst(); err != nil {
		return err
	}
	state := make(map[string]*tensor.Dense, len(w))
	for _, p := range g.Params() {
		t := graph.NewTensor(g.ChannelsFirstShape(p)...)
		g.ToChannelsFirst(t.Data().([]float32), w.Data(p.Name), p)
		state[p.Name] = t
	}
	all := map[string]string{"format": "pt"}
	for k, v := range metadata {
		all[k] = v
	}
	return safetensors.Write(path, state, all)
}
