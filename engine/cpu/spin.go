package cpu

import "mdp/engine"

type spin struct{ engine.Spin }

// run counts: each addition waits for the one before, which takes a cycle on every
// processor of today.
func (c *spin) run(*team) {
	for i := int64(0); i < c.Cycles; i++ {
	}
}
