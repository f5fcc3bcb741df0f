// Package bench measures how long things take on a backend and keeps what it
// measured.
//
// Measure samples until a Rule is content (rule.go, after nvbench) and answers
// with the median, its confidence interval and every raw sample (result.go).
// Call times one call as a network runs it, or with its caches cold or hot
// (call.go, round.go), beside the device's clock where a rule asks for it (watch.go);
// Networks times whole programs side by side (network.go), InNetwork one and its calls
// between the rows of a table (innetwork.go). A Table is a file of
// rows, one per configuration, that survives being killed (table.go); Compare sets
// two side by side, Predict adds rows up to a network's latency (predict.go). What
// the instrument itself is worth tells Test (selftest.go).
package bench

import (
	"context"
	"fmt"
	"time"
)

// Measure calls sample, which returns one latency, until the rule is content.
// What sample returns during the warm-up is thrown away.
func Measure(ctx context.Context, rule Rule, sample func() (latencyNS int64, err error)) (Result, error) {
	results, err := interleave(ctx, rule, []func() (int64, error){sample}, time.Now)
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// interleave takes one sample of each in turn, A B C A B C …, until the rule is
// content with every one of them: the machine drifts, and so all see the same
// weather. The rule's times hold for each, so the time-out is theirs together.
func interleave(ctx context.Context, rule Rule, samples []func() (int64, error), now func() time.Time) ([]Result, error) {
	if err := rule.check(); err != nil {
		return nil, err
	}
	round := func(take func(i int, latencyNS int64)) error {
		for i, sample := range samples {
			if err := ctx.Err(); err != nil {
				return err
			}
			latencyNS, err := sample()
			if err != nil {
				return err
			}
			if latencyNS < 0 {
				return fmt.Errorf("a sample took %d ns: the clock ran backwards", latencyNS)
			}
			take(i, latencyNS)
		}
		return nil
	}

	each := time.Duration(len(samples))
	for start := now(); ; {
		if err := round(func(int, int64) {}); err != nil {
			return nil, err
		}
		if now().Sub(start) >= each*time.Duration(rule.WarmUpNS) {
			break
		}
	}

	runs := make([]run, len(samples))
	for start := now(); ; {
		if err := round(func(i int, latencyNS int64) { runs[i].add(latencyNS) }); err != nil {
			return nil, err
		}
		timedOut := now().Sub(start) >= each*time.Duration(rule.TimeoutNS)
		content := true
		for i := range runs {
			content = runs[i].content(rule) && content
		}
		if content || timedOut {
			break
		}
	}
	results := make([]Result, len(runs))
	for i := range runs {
		results[i] = Summarise(runs[i].samplesNS)
		results[i].Stop = runs[i].stop
		if results[i].Stop == "" {
			results[i].Stop = Timeout
		}
	}
	return results, nil
}
