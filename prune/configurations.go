package prune

import (
	"fmt"

	"mdp/engine"
	"mdp/engine/graph"
)

// Configurations lists every distinct call that a choice of channels can make one of
// the networks run at a batch, in steps of channels as in NewSteps; what networks
// share is there once. Nothing is allocated on a device.
func Configurations(networks []*graph.Graph, batch, step int) ([]engine.Call, error) {
	var all []engine.Call
	seen := map[string]bool{}
	for _, g := range networks {
		coupling, err := Couple(g)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.Name(), err)
		}
		program, err := engine.Compile(g, engine.DryRun{}, engine.Options{Mode: engine.Infer, Batch: batch})
		if err != nil {
			return nil, err
		}
		for _, c := range NewSpace(program, coupling, step).Configurations() {
			if key := c.String(); !seen[key] {
				seen[key] = true
				all = append(all, c)
			}
		}
	}
	return all, nil
}
