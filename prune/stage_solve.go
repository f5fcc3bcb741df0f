package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"mdp/bench"
	"mdp/engine"
	"mdp/engine/sensor"
	"mdp/prune/solve"
)

// bench measures every configuration the options can reach, and the dense
// network end to end. The table itself remembers what is measured, so a stage
// that was stopped goes on.
func (p *Pipeline) bench(ctx context.Context) error {
	c := p.Config
	sensor := p.device.Sensor()
	defer sensor.Close()
	header, err := p.header(bench.RunRule(p.Backend.Info()), sensor)
	if err != nil {
		return err
	}
	dateless := header
	dateless.Date = time.Time{}
	key := map[string]any{"step": c.Step, "fix": c.Fix, "header": dateless, "coarse": c.Coarse}
	return p.stage(StageBench, "", key, []string{"graph.json"}, []string{"latency.jsonl", "dense.json"}, func() error {
		release, err := bench.Exclude(p.device.Place)
		if err != nil {
			return err
		}
		defer release()
		return p.withSpace(func(space *Space) error {
			table, err := p.table(header)
			if err != nil {
				return err
			}
			defer table.Close()
			if n := table.Notice(); n != "" {
				p.remark(StageBench, "%s", n)
			}
			table.Sensor = sensor
			busy := new(bench.BusyError)
			if err := bench.Idle(ctx, sensor); errors.As(err, &busy) {
				p.remark(StageBench, "%v; latencies will be noisy", busy)
			} else if err != nil {
				return err
			}
			return p.measure(ctx, table, space)
		})
	})
}

// header is of a table that is measured now, under the device's settings of today.
func (p *Pipeline) header(rule bench.Rule, s sensor.Sensor) (bench.Header, error) {
	h, err := bench.NewHeader(p.Backend, p.Config.LatencyBatch, rule)
	h.Settings = s.Settings()
	return h, err
}

// table opens the latency table. One of another machine, build or batch is set
// aside under the date of its header, for rows of the two must not mix.
func (p *Pipeline) table(h bench.Header) (*bench.Table, error) {
	name := p.Path("latency.jsonl")
	t, err := bench.OpenTable(name, h)
	var other *bench.OtherHeaderError
	if !errors.As(err, &other) {
		return t, err
	}
	aside := p.Path("latency." + other.Table.Date.UTC().Format("20060102T150405Z") + ".jsonl")
	if _, err := os.Lstat(aside); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s was measured with another %s and cannot be set aside: %s is there already; move one of them away", name, other.Field, aside)
	}
	if err := os.Rename(name, aside); err != nil {
		return nil, err
	}
	p.remark(StageBench, "the latency table was measured with another %s: set aside as %s, measuring anew", other.Field, aside)
	return bench.OpenTable(name, h)
}

// withSpace compiles the network as it is timed, cuts it in options, and lends
// both to do.
func (p *Pipeline) withSpace(do func(*Space) error) error {
	g, coupling, err := p.coupled()
	if err != nil {
		return err
	}
	program, err := engine.Compile(g, p.Backend, engine.Options{Mode: engine.Infer, Batch: p.Config.LatencyBatch})
	if err != nil {
		return err
	}
	defer program.Close()
	return do(NewSpace(program, coupling, p.Config.Step))
}

// solve finds the best network for every budget, and the whole front.
func (p *Pipeline) solve(ctx context.Context) error {
	c := p.Config
	constraints, err := c.Constraints()
	if err != nil {
		return err
	}
	key := map[string]any{"step": c.Step, "batch": c.LatencyBatch, "fix": c.Fix, "budgets": c.Budgets,
		"constraints": constraints, "baselines": c.Baselines, "coarse": c.Coarse, "measured-only": c.MeasuredOnly}
	in := []string{"graph.json", "scores.json", "latency.jsonl", "dense.json"}
	if len(c.With) > 0 {
		if key["with"], err = c.furtherDigests(); err != nil {
			return fmt.Errorf("%s: %w", StageSolve, err)
		}
	}
	if _, err := os.Stat(p.Path("refined.jsonl")); err == nil {
		in = append(in, "refined.jsonl")
	}
	return p.stage(StageSolve, "", key, in, []string{"problem.json", "filled.json", "solution.json", "frontier.csv"}, func() error {
		return p.withSpace(func(space *Space) error {
			problem, filled, err := p.problem(space)
			if err != nil {
				return err
			}
			if problem, err = c.beside(problem); err != nil {
				return err
			}
			return p.answer(ctx, space, problem, filled)
		})
	})
}

// scores reads the channels' scores.
func (p *Pipeline) scores() (Scores, error) {
	var s Scores
	if err := p.ReadJSON("scores.json", &s); err != nil {
		return Scores{}, err
	}
	if err := s.Check(); err != nil {
		return Scores{}, fmt.Errorf("%s: %w", p.Path("scores.json"), err)
	}
	return s, nil
}

// problem poses the MINLP from the run's files.
func (p *Pipeline) problem(space *Space) (*solve.Problem, bench.Filled, error) {
	scores, err := p.scores()
	if err != nil {
		return nil, bench.Filled{}, err
	}
	dense, err := p.dense()
	if err != nil {
		return nil, bench.Filled{}, err
	}
	tied, filled, err := p.tiedRows(space, dense)
	if err != nil {
		return nil, bench.Filled{}, err
	}
	if len(filled.NS) > 0 {
		p.remark(StageSolve, "%d of %d configurations filled in: measured ones left out are %.1f %% off in the median, %.1f %% at worst",
			len(filled.NS), len(tied), filled.MedianPct, filled.WorstPct)
	}
	latency := dense.latency(tied)
	problem, err := space.Problem(scores, func(c engine.Call) (int64, bool) {
		if _, ok := filled.NS[c.String()]; ok && p.Config.MeasuredOnly {
			return unreachable, true
		}
		return latency(c)
	})
	return problem, filled, err
}

// measure fills the table, with the dense network timed between its rows.
func (p *Pipeline) measure(ctx context.Context, table *bench.Table, space *Space) error {
	w, err := p.readWeights("weights.safetensors", space.Graph)
	if err != nil {
		return err
	}
	if err := ready(space.Program, w); err != nil {
		return err
	}
	table.InNetwork = bench.NewInNetwork(space.Program)
	calls := space.Coarse(max(1, p.Config.Coarse))
	left, err := table.Estimate(ctx, p.Backend, calls)
	if err != nil {
		return err
	}
	if left > 0 {
		p.remark(StageBench, "%d configurations, %d of them measured; the rest takes about %v", len(calls), table.Len(), left.Round(time.Second))
	}
	tell := p.progress(StageBench, "configurations")
	err = table.Measure(ctx, p.Backend, calls, func(done, total int, left time.Duration) {
		tell(done, total, "")
	})
	if err != nil {
		return err
	}
	dense, err := p.calibrate(ctx, space, table.InNetwork, table.Rows())
	if err != nil {
		return err
	}
	p.remark(StageBench, "%d configurations; dense network %.3f ms end to end, %.3f ms as the sum of its rows; other programs disturbed %d of its %d samples",
		table.Len(), ms(dense.LatencyNS), ms(dense.SumNS), dense.Disturbed, dense.Samples)
	return p.WriteJSON("dense.json", dense)
}

func ms(ns int64) float64 { return float64(ns) / 1e6 }
