package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mdp/engine"
)

// Networks measures programs end to end in turn, A B C A B C …, so that a machine
// that drifts is unfair to none of them, each on whatever image lies on the device:
// give them weights and an image first, for zeros can be fast. Each turn runs its
// program twice and times the second, which finds the caches as a program that runs
// alone does; the first finds them full of another's data. Of each program the
// Undisturbed samples count.
func Networks(ctx context.Context, programs []*engine.Program, rule Rule) ([]Result, error) {
	return networks(ctx, programs, rule, time.Now)
}

func networks(ctx context.Context, programs []*engine.Program, rule Rule, now func() time.Time) ([]Result, error) {
	samples := make([]func() (int64, error), len(programs))
	for i, p := range programs {
		samples[i] = func() (int64, error) { return twice(p, now) }
	}
	results, err := interleave(ctx, rule, samples, now)
	for i := range results {
		results[i] = undisturbed(results[i])
	}
	return results, err
}

// twice runs a program twice and times the second.
func twice(p *engine.Program, now func() time.Time) (int64, error) {
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

// Network adds a program's row, timed in turn with a reference's, unless the table
// has it: its key and the reference's name are the caller's.
func (t *Table) Network(ctx context.Context, key string, p *engine.Program, reference string, of *engine.Program) error {
	if _, ok := t.rows[key]; ok {
		return nil
	}
	begun := time.Now()
	r, err := Networks(ctx, []*engine.Program{of, p}, t.header.Rule)
	if err != nil {
		return err
	}
	return errors.Join(t.append(Row{
		Key: key, StartedAt: begun.UTC().Truncate(time.Millisecond), CostNS: time.Since(begun).Nanoseconds(),
		Reference: reference, ReferenceNS: r[0].MedianNS, Result: r[1],
	}), t.settle())
}
