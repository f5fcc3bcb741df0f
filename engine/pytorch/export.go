package pytorch

import (
	"io"
	"maps"

	"mdp/engine/atomicfile"
	"mdp/engine/graph"
	"mdp/engine/safetensors"
)

// WriteStateDict writes weights as a safetensors file that PyTorch reads: g's
// names, channels first.
func WriteStateDict(path string, g *graph.Graph, w graph.Weights, metadata map[string]string) error {
	if err := g.ChannelsFirst(); err != nil {
		return err
	}
	params, shapes := map[string]graph.Param{}, map[string][]int{}
	for _, p := range g.Params() {
		params[p.Name], shapes[p.Name] = p, g.ChannelsFirstShape(p)
	}
	all := map[string]string{"format": "pt"}
	maps.Copy(all, metadata)
	return atomicfile.Write(path, func(f io.Writer) error {
		return safetensors.EncodeEach(f, shapes, all, func(dst []float32, name string) {
			g.ToChannelsFirst(dst, w.Data(name), params[name])
		})
	})
}
