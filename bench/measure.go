package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mdp/engine"
)

// Measure adds the rows that the table lacks, each timed beside the largest of
// calls of its layer, all of them on disk when it returns; when it ends early,
// through ctx or an error, calling it again goes on from there. Rows are measured
// as many at a time as the rule says. progress, if not nil, is called before the
// first and after each time, with how long the rest will take if it goes on as so
// far (0 at first).
//
// A call of which no sample could be taken because the clock was low is left out, and
// told of at the end; after several in a row it ends there.
func (t *Table) Measure(ctx context.Context, b engine.Backend, calls []engine.Call, progress func(done, total int, left time.Duration)) error {
	return t.MeasureAmong(ctx, b, calls, calls, progress)
}

// MeasureAmong is Measure of some of all calls, among which the largest are: what
// another table measured beside them goes with these rows.
func (t *Table) MeasureAmong(ctx context.Context, b engine.Backend, calls, all []engine.Call, progress func(done, total int, left time.Duration)) (err error) {
	defer func() { err = errors.Join(err, t.settle()) }()
	if b.Name() != t.header.Backend {
		return fmt.Errorf("the table is of backend %q, not %q; measure into another folder", t.header.Backend, b.Name())
	}
	missing := t.missing(calls)
	stand, reference := newStand(b, t.header.Rule, t.header.Batch), largest(all)
	start := time.Now()
	report := func(done int) {
		if progress != nil {
			left := time.Duration(0)
			if done > 0 {
				left = time.Since(start) / time.Duration(done) * time.Duration(len(missing)-done)
			}
			progress(done, len(missing), left)
		}
	}
	report(0)
	var low *ThrottledError
	done, leftOut, inARow := 0, 0, 0
	for _, group := range coarseFirst(missing, t.header.Rule.Together) {
		rows, err := stand.measure(ctx, group, reference[layer(group[0])])
		if errors.As(err, &low) {
			leftOut += len(group)
			if inARow++; inARow < mostThrottled {
				done += len(group)
				report(done)
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("measure %v: %w", among(group), err)
		}
		if t.Sensor != nil {
			state, err := t.Sensor.Read()
			if err != nil {
				return fmt.Errorf("measure %v: %w", among(group), err)
			}
			for i := range rows {
				rows[i].State = &state
			}
		}
		if err := t.append(rows...); err != nil {
			return err
		}
		if t.InNetwork != nil && t.InNetwork.due(time.Since(start)) {
			if err := t.InNetwork.sample(); err != nil {
				return err
			}
		}
		inARow = 0
		done += len(group)
		report(done)
	}
	if leftOut > 0 {
		return fmt.Errorf("%d configurations are left out: %w; the same command measures them", leftOut, low)
	}
	return nil
}

// mostThrottled calls in a row say that waiting does not help.
const mostThrottled = 5

// measure times some configurations of one layer beside its largest.
func (s *stand) measure(ctx context.Context, calls []engine.Call, reference engine.Call) ([]Row, error) {
	begun := time.Now()
	m, err := s.time(ctx, calls, reference)
	if err != nil {
		return nil, err
	}
	costNS := time.Since(begun).Nanoseconds() / int64(len(calls))
	rows := make([]Row, len(calls))
	for i, c := range calls {
		rows[i] = Row{
			Key: c.String(), StartedAt: begun.UTC().Truncate(time.Millisecond), CostNS: costNS,
			Reference: reference.String(), ReferenceNS: m[i].referenceNS,
			ClockMHz: m[i].clockMHz, Discarded: m[i].discarded, How: m[i].how, Result: m[i].Result,
		}
	}
	return rows, nil
}

// among names calls that were measured together.
func among(calls []engine.Call) string {
	if len(calls) == 1 {
		return calls[0].String()
	}
	return fmt.Sprintf("%v and %d like it", calls[0], len(calls)-1)
}

// largest is the largest configuration of every layer among calls.
func largest(calls []engine.Call) map[string]engine.Call {
	of := map[string]engine.Call{}
	for _, c := range calls {
		name := layer(c)
		if l, ok := of[name]; !ok || size(c) > size(l) {
			of[name] = c
		}
	}
	return of
}

// missing is the distinct configurations among calls that have no row.
func (t *Table) missing(calls []engine.Call) []engine.Call {
	var missing []engine.Call
	seen := map[string]bool{}
	for _, c := range calls {
		key := c.String()
		if _, ok := t.rows[key]; !ok && !seen[key] {
			seen[key] = true
			missing = append(missing, c)
		}
	}
	return missing
}

// layer is what all configurations of one layer share.
func layer(c engine.Call) string {
	switch d := c.(type) {
	case engine.ConvForward:
		if d.Groups > 1 && d.C == d.K { // two groups: of one it would be no longer grouped
			two := 2 * d.C / d.Groups
			return WithChannels(c, two, two).String()
		}
		return WithChannels(c, d.Groups, d.Groups).String()
	case engine.MaxPoolForward, engine.AvgPoolForward, engine.BatchNormInfer, engine.Mul, engine.Scale, engine.Softmax, engine.CopyChannels:
		return WithChannels(c, 1, 1).String()
	}
	name, _, _ := strings.Cut(c.String(), "/")
	return name
}

// size of a call is the elements it touches.
func size(c engine.Call) int {
	n := 0
	for _, o := range c.Operands() {
		n += o.Len
	}
	return n
}
