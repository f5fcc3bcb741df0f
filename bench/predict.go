package bench

import "mdp/engine"

// Predict sums the table's rows over the calls of an inference program. Keys
// without a row are missing, in the program's order and once each; what no row
// covers is for the caller to add.
func Predict(p *engine.Program, t *Table) (ns int64, missing []string) {
	return predict(p.Plan().Calls, t)
}

func predict(calls []engine.Call, t *Table) (ns int64, missing []string) {
	seen := map[string]bool{}
	for _, c := range calls {
		if latencyNS, ok := t.Latency(c); ok {
			ns += latencyNS
		} else if key := c.String(); !seen[key] {
			seen[key] = true
			missing = append(missing, key)
		}
	}
	return ns, missing
}
