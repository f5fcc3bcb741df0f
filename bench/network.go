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

func networks(ctx context.Context, programs []*engine.Program, rule Rule, now func() time.Time) ([]Result, error) {
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
	return interleave(ctx, rule, samples, now)
}

// Network adds a program's row, timed in turn with a reference's, unless the
// table has it: its key and the reference's name are the caller's. As with calls,
// the ratio of the two is what changes least with the machine's pace.
func (t *Table) Network(ctx context.Context, key string, p *engine.Program, reference string, of *engine.Program) error {
	if _, ok := t.rows[key]; ok {
		return nil
	}
	begun := time.Now()
	r, err := Networks(ctx, []*engine.Program{p, of}, t.header.Rule)
	if err != nil {
		return err
	}
	return t.append(Row{
		Key: key, StartedAt: begun.UTC().Truncate(time.Millisecond), CostNS: time.Since(begun).Nanoseconds(),
		Reference: reference, ReferenceNS: r[1].MedianNS, Result: r[0],
	})
}
