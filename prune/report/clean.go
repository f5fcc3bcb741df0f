package report

import "math"

// clean returns a copy of r that every writer can show: no float in it is
// infinite or not a number, and the speed-ups that follow from measured
// latencies are filled in.
func clean(r Run) Run {
	r.DenseImportance = orZero(r.DenseImportance)
	r.Networks = mapped(r.Networks, func(n Network) (Network, bool) {
		for _, p := range []**float64{&n.Accuracy, &n.PredictedMS, &n.MeasuredMS, &n.MeasuredCIMS, &n.BudgetMS, &n.Speedup} {
			*p = known(*p)
		}
		return n, true
	})
	if dense := find(r.Networks, Dense, ""); dense != nil {
		for i := range r.Networks {
			if n := &r.Networks[i]; n.Speedup == nil {
				n.Speedup = ratio(dense.MeasuredMS, n.MeasuredMS)
			}
		}
	}
	r.Front = mapped(r.Front, func(p Point) (Point, bool) {
		return p, finite(p.LatencyMS) && finite(p.Importance)
	})
	r.Solutions = mapped(r.Solutions, func(s Solution) (Solution, bool) {
		s.Bound, s.Gap = known(s.Bound), known(s.Gap)
		s.Further = mapped(s.Further, func(f Further) (Further, bool) {
			return f, finite(f.BudgetMS) && finite(f.LatencyMS)
		})
		s.Baselines = mapped(s.Baselines, func(b Baseline) (Baseline, bool) {
			return b, finite(b.Importance) && finite(b.LatencyMS)
		})
		return s, finite(s.BudgetMS) && finite(s.LatencyMS) && finite(s.Importance)
	})
	r.Accuracy = mapped(r.Accuracy, func(c Curve) (Curve, bool) {
		c.Points = mapped(c.Points, func(e Epoch) (Epoch, bool) {
			e.TrainAccuracy, e.TestAccuracy, e.Loss = known(e.TrainAccuracy), known(e.TestAccuracy), known(e.Loss)
			return e, finite(e.Epoch)
		})
		return c, true
	})
	r.Expectations = mapped(r.Expectations, func(x Expectation) (Expectation, bool) {
		x.Value = known(x.Value)
		x.OK = x.OK && x.Value != nil
		x.Bound = orZero(x.Bound)
		return x, true
	})
	r.Steps = mapped(r.Steps, func(s StepTime) (StepTime, bool) {
		s.Seconds = orZero(s.Seconds)
		return s, true
	})
	return r
}

// mapped returns f of each element, without those that f does not keep.
func mapped[T any](in []T, f func(T) (T, bool)) []T {
	out := make([]T, 0, len(in))
	for _, v := range in {
		if v, keep := f(v); keep {
			out = append(out, v)
		}
	}
	return out
}

// find returns the first network of that name and budget, nil if there is none.
func find(networks []Network, name, budget string) *Network {
	for i := range networks {
		if networks[i].Name == name && networks[i].Budget == budget {
			return &networks[i]
		}
	}
	return nil
}

// emitted returns the network that the run hands over for a budget: the
// fine-tuned one, or the pruned one where there was no fine-tuning.
func emitted(networks []Network, budget string) *Network {
	if n := find(networks, FineTuned, budget); n != nil {
		return n
	}
	return find(networks, Pruned, budget)
}

// budgets returns every budget of the run, in the order in which it appears.
func budgets(r Run) []string {
	var out []string
	seen := map[string]bool{"": true}
	add := func(b string) {
		if !seen[b] {
			seen[b] = true
			out = append(out, b)
		}
	}
	for _, s := range r.Solutions {
		add(s.Budget)
	}
	for _, n := range r.Networks {
		add(n.Budget)
	}
	return out
}

// ratio returns a/b where both are known and positive.
func ratio(a, b *float64) *float64 {
	if a == nil || b == nil || *a <= 0 || *b <= 0 {
		return nil
	}
	return known(new(*a / *b))
}

func known(p *float64) *float64 {
	if p == nil || !finite(*p) {
		return nil
	}
	return p
}

func orZero(v float64) float64 {
	if !finite(v) {
		return 0
	}
	return v
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
