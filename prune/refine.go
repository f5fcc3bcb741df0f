package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"mdp/bench"
	"mdp/engine"
)

// unreachable is the latency in ns of a configuration that must not be chosen:
// a quarter of an hour, beyond every budget.
const unreachable = int64(1e12)

// rows are the measured ones: the table's, and those around solutions.
func (p *Pipeline) rows() ([]bench.Row, error) {
	_, rows, err := bench.ReadTable(p.Path("latency.jsonl"))
	if err != nil {
		return nil, err
	}
	_, more, err := bench.ReadTable(p.Path("refined.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return rows, nil
	}
	return append(rows, more...), err
}

// tie is bench.Tie, and where the table is coarse, what it lacks filled in.
func (p *Pipeline) tie(space *Space, rows []bench.Row, inNetworkNS map[string]int64) (tied map[string]int64, filled bench.Filled, err error) {
	tied = bench.Tie(rows, inNetworkNS)
	if p.Config.Coarse > 1 {
		filled, err = bench.Fill(space.Configurations(), tied)
		maps.Copy(tied, filled.NS)
	}
	return tied, filled, err
}

func (p *Pipeline) tiedRows(space *Space, dense denseLatency) (map[string]int64, bench.Filled, error) {
	rows, err := p.rows()
	if err != nil {
		return nil, bench.Filled{}, err
	}
	return p.tie(space, rows, dense.CallsNS)
}

// around lists the configurations that a sub-network runs and, within options of
// every group, those beside them.
func (s *Space) around(options []int, blocksOn []bool, within int) (all []engine.Call) {
	seen := map[string]bool{}
	for _, p := range s.pieces() {
		if !blocksOn[s.Coupling.BlockOf(s.Program.Nodes(p.call)[0])+1] {
			continue
		}
		for a := max(s.lowest(p.own), options[p.own]-within); a <= min(s.options(p.own), options[p.own]+within); a++ {
			for b := max(s.lowest(p.prev), options[p.prev]-within); b <= min(s.options(p.prev), options[p.prev]+within); b++ {
				if p.own == p.prev && a != b {
					continue
				}
				if c, _ := s.cell(p, a, b); !seen[c.String()] {
					seen[c.String()] = true
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// filledIn are the configurations of a sub-network that were not measured.
func (s *Space) filledIn(filled bench.Filled, options []int, blocksOn []bool) (keys []string) {
	for _, c := range s.around(options, blocksOn, 0) {
		if _, ok := filled.NS[c.String()]; ok {
			keys = append(keys, c.String())
		}
	}
	return keys
}

// Refined is what a round of Refine came to.
type Refined struct {
	Measured int      `json:"measured"` // configurations, in this round
	Filled   int      `json:"filled"`   // of all answers', those still not measured
	Answers  []Answer `json:"answers"`
}

// Refine measures, where the table is coarse, what the solutions run and what lies
// an option beside it, and solves again, until the solutions run nothing that was
// not measured. The rows go into refined.jsonl.
func (p *Pipeline) Refine(ctx context.Context) (rounds []Refined, err error) {
	if err := errors.Join(p.openDevice(), p.Lock()); err != nil {
		return nil, err
	}
	for {
		before, err := p.answers()
		if err != nil {
			return nil, err
		}
		measured, err := p.measureAround(ctx, before)
		if err != nil {
			return nil, err
		}
		if err := p.solve(ctx); err != nil {
			return nil, err
		}
		r := Refined{Measured: measured}
		if r.Answers, err = p.answers(); err != nil {
			return nil, err
		}
		for _, a := range r.Answers {
			r.Filled += len(a.Filled)
		}
		rounds = append(rounds, r)
		if r.Filled == 0 {
			return rounds, nil
		}
	}
}

func (p *Pipeline) answers() (all []Answer, err error) {
	err = p.ReadJSON("solution.json", &all)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: run mdp solve first", err)
	}
	return all, err
}

// measureAround measures what is not among the rows, and says how many it were.
func (p *Pipeline) measureAround(ctx context.Context, answers []Answer) (measured int, err error) {
	release, err := bench.Exclude(p.device.Place)
	if err != nil {
		return 0, err
	}
	defer release()
	sensor := p.device.Sensor()
	defer sensor.Close()
	now, err := p.header(bench.RunRule(p.Backend.Info()), sensor)
	if err != nil {
		return 0, err
	}
	h, rows, err := bench.ReadTable(p.Path("latency.jsonl"))
	if err != nil {
		return 0, err
	}
	if err := h.Check(now); err != nil {
		return 0, fmt.Errorf("%s: %w", p.Path("latency.jsonl"), err)
	}
	have := map[string]bool{}
	for _, r := range rows {
		have[r.Key] = true
	}
	err = p.withSpace(func(space *Space) error {
		table, err := bench.OpenTable(p.Path("refined.jsonl"), now)
		if err != nil {
			return err
		}
		defer table.Close()
		table.Sensor = sensor
		var calls []engine.Call
		for _, a := range answers {
			for _, c := range space.around(a.Options, a.BlocksOn, 1) {
				if !have[c.String()] {
					have[c.String()] = true
					calls = append(calls, c)
				}
			}
		}
		before := table.Len()
		p.Notify(Event{Stage: StageBench, Kind: Begin, Text: "refine"})
		tell := p.progress(StageBench, "configurations")
		err = table.MeasureAmong(ctx, p.Backend, calls, space.Configurations(), func(done, total int, _ time.Duration) { tell(done, total, "") })
		measured = table.Len() - before
		p.Notify(Event{Stage: StageBench, Kind: End})
		return err
	})
	return measured, err
}
