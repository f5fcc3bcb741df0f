package bench

import (
	"context"
	"time"

	"mdp/engine"
)

// Observed is a program where it really runs: end to end and call by call.
type Observed struct {
	LatencyNS int64          `json:"latency_ns"` // median, end to end
	Calls     []ObservedCall `json:"calls"`      // in the program's order
}

// ObservedCall is a call between those before and after it.
type ObservedCall struct {
	Key  string `json:"key"`
	Kind string `json:"kind"`
	NS   int64  `json:"ns"` // median
}

// Scaled is o at another pace.
func (o Observed) Scaled(by float64) Observed {
	s := Observed{LatencyNS: int64(by * float64(o.LatencyNS))}
	for _, c := range o.Calls {
		s.Calls = append(s.Calls, ObservedCall{c.Key, c.Kind, int64(by * float64(c.NS))})
	}
	return s
}

// Observe times programs end to end and call by call, all in turn, so that what
// the machine does meanwhile is the same for all of it.
func Observe(ctx context.Context, programs []*engine.Program, rule Rule) ([]Observed, error) {
	forward := forwards(programs, time.Now)
	samples, calls := make([]func() (int64, error), 2*len(programs)), make([][][]int64, len(programs))
	for i, p := range programs {
		latencyNS := make([]int64, len(p.Plan().Calls))
		calls[i] = make([][]int64, len(latencyNS))
		samples[2*i] = forward[i]
		samples[2*i+1] = func() (sumNS int64, err error) {
			if err := p.Time(latencyNS); err != nil {
				return 0, err
			}
			for j, ns := range latencyNS {
				sumNS += ns
				calls[i][j] = append(calls[i][j], ns)
			}
			return sumNS, nil
		}
	}
	results, err := interleave(ctx, rule, samples, time.Now)
	if err != nil {
		return nil, err
	}
	observed := make([]Observed, len(programs))
	for i, p := range programs {
		observed[i].LatencyNS = results[2*i].MedianNS
		for j, c := range p.Plan().Calls {
			kept := calls[i][j][len(calls[i][j])-len(results[2*i+1].SamplesNS):] // the rest was the warm-up's
			observed[i].Calls = append(observed[i].Calls, ObservedCall{c.String(), Kind(c), Summarise(kept).MedianNS})
		}
	}
	return observed, nil
}
