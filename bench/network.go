package bench

import (
	"context"
	"fmt"
	"time"

	"mdp/engine"
)

// Network measures a program's forward pass end to end, on whatever image lies
// on the device: give it weights and an image first, for zeros can be fast.
func Network(ctx context.Context, p *engine.Program, rule Rule) (Result, error) {
	results, err := Networks(ctx, []*engine.Program{p}, rule)
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
}

// Networks measures programs in turn, A B C A B C …, so that a machine that
// drifts is unfair to none of them: what their medians are compared from. Each
// turn runs its program twice and times the second, which finds the caches as a
// program that runs alone does; the first finds them full of another's data.
func Networks(ctx context.Context, programs []*engine.Program, rule Rule) ([]Result, error) {
	return networks(ctx, programs, rule, time.Now)
}

// forwards are samples of programs' forward passes.
func forwards(programs []*engine.Program, now func() time.Time) []func() (int64, error) {
	samples := make([]func() (int64, error), len(programs))
	for i, p := range programs {
		samples[i] = func() (int64, error) {
			var latency time.Duration
			for range 2 {
				start := now()
				if err := p.Forward(); err != nil {
					return 0, fmt.Errorf("time %s: %w", p.Graph().Name(), err)
				}
				latency = now().Sub(start)
			}
			return latency.Nanoseconds(), nil
		}
	}
	return samples
}

func networks(ctx context.Context, programs []*engine.Program, rule Rule, now func() time.Time) ([]Result, error) {
	return interleave(ctx, rule, forwards(programs, now), now)
}

// Steady is how much slower than usual a reference may be for what was measured
// beside it to count as measured at the machine's usual pace.
const Steady = 1.1

// Network adds a program's row, timed in turn with a reference's, unless the
// table has it: its key and the reference's name are the caller's. While the
// machine is not Steady, the reference being slower than usualNS, it is measured
// again, three times at most; the row is that of the fastest reference.
func (t *Table) Network(ctx context.Context, key string, p *engine.Program, reference string, of *engine.Program, usualNS int64) error {
	if _, ok := t.rows[key]; ok {
		return nil
	}
	var best Row
	for range 4 {
		begun := time.Now()
		r, err := Networks(ctx, []*engine.Program{p, of}, t.header.Rule)
		if err != nil {
			return err
		}
		row := Row{
			Key: key, StartedAt: begun.UTC().Truncate(time.Millisecond), CostNS: time.Since(begun).Nanoseconds(),
			Reference: reference, ReferenceNS: paired(r[0], r[1].SamplesNS), Result: r[0],
		}
		if best.ReferenceNS == 0 || row.ReferenceNS < best.ReferenceNS {
			best = row
		}
		if float64(best.ReferenceNS) <= Steady*float64(usualNS) {
			break
		}
	}
	return t.append(best)
}
