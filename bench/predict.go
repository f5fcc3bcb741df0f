package bench

import "mdp/engine"

// Tie gives the latency in ns of every row's configuration, by key, as it would
// be in the network that inNetworkNS was taken from, at that network's pace:
//
//	latency = inNetwork[reference] · median / reference's median in the same rounds
//
// All layers of a network are timed within milliseconds, and a row against its
// reference likewise, so what the machine did between two rows cancels out. A
// row whose reference is no call of the network is as it was measured.
//
// What does not cancel out is a clock that changes for one of the two and not for the
// other: a row that waits for memory, of a layer whose reference computes, is off by as
// much as the clock is off from the network's, three percent by a drift of three.
func Tie(rows []Row, inNetworkNS map[string]int64) map[string]int64 {
	tied := map[string]int64{}
	for _, r := range rows {
		tied[r.Key] = r.MedianNS
		if ns, ok := inNetworkNS[r.Reference]; ok {
			tied[r.Key] = int64(float64(ns) * float64(r.MedianNS) / float64(r.ReferenceNS))
		}
	}
	return tied
}

// Predict sums latencies by key over the calls of an inference program. Keys
// without one are missing, in the program's order and once each; what lies
// between the calls is for the caller to add.
func Predict(p *engine.Program, latencyNS map[string]int64) (ns int64, missing []string) {
	seen := map[string]bool{}
	for _, c := range p.Plan().Calls {
		key := c.String()
		if of, ok := latencyNS[key]; ok {
			ns += of
		} else if !seen[key] {
			seen[key] = true
			missing = append(missing, key)
		}
	}
	return ns, missing
}
