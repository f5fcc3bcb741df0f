package main

import (
	"fmt"
	"io"

	"mdp/prune/solve"
)

// answer is the solution of a problem file, in its units and for its groups.
type answer struct {
	solve.Solution
	Limit     string           `json:"limit,omitempty"` // that ended the proof: time, memory, interrupted
	Baselines []solve.Baseline `json:"baselines,omitempty"`
	Front     []solve.Point    `json:"front,omitempty"`
	problem   *solve.Problem
}

func (a *answer) failed() error {
	if a.Status == solve.Infeasible && a.Front == nil {
		return infeasibleError{fmt.Errorf("budget %d is below the smallest latency there is, %d %s: raise the budget", a.Budget, a.MinLatency, a.problem.LatencyUnit)}
	}
	return nil
}

func (a *answer) writeText(w io.Writer) error {
	if a.Front != nil {
		fmt.Fprintln(w, "latency,importance")
		for _, p := range a.Front {
			if _, err := fmt.Fprintf(w, "%d,%d\n", p.Latency, p.Importance); err != nil {
				return err
			}
		}
		return nil
	}
	rows := [][]string{
		{"problem", a.problem.Name},
		{"status", status(a.Status, a.Limit)},
		{"budget", fmt.Sprint(a.Budget, " ", a.problem.LatencyUnit)},
	}
	if a.Options != nil {
		rows = append(rows, []string{"latency", fmt.Sprint(a.Latency, " ", a.problem.LatencyUnit)})
		rows = append(rows, chosen(a.problem, a.Objective, a.Bound, a.Gap, a.Options, a.BlocksOn)...)
	}
	if err := table(w, append(rows, solvedIn(a.Seconds))); err != nil || a.Baselines == nil {
		return err
	}
	fmt.Fprintln(w)
	return table(w, baselineRows(a.Solution, a.Baselines))
}

func status(s solve.Status, limit string) string {
	if limit == "" {
		return string(s)
	}
	return fmt.Sprintf("%s: the proof was ended by %s", s, map[string]string{
		"time": "the time limit", "memory": "the memory limit", "interrupted": "a signal"}[limit])
}

func chosen(p *solve.Problem, objective, bound int64, gap float64, options []int, blocksOn []bool) [][]string {
	unit := ""
	if p.ImportanceUnit != "" {
		unit = " × " + p.ImportanceUnit
	}
	return [][]string{
		{"objective", fmt.Sprint(objective, unit)},
		{"bound", fmt.Sprintf("%d, gap %.3g", bound, gap)},
		{"options", fmt.Sprint(options)},
		{"blocks off", fmt.Sprint(off(blocksOn))},
	}
}

func solvedIn(seconds float64) []string {
	return []string{"solved in", fmt.Sprintf("%.1f ms", 1e3*seconds)}
}

// off lists the blocks that are removed.
func off(on []bool) []int {
	var ids []int
	for i, b := range on {
		if !b {
			ids = append(ids, i)
		}
	}
	return ids
}

// baselineRows compare an optimum with what simpler methods chose.
func baselineRows(best solve.Solution, all []solve.Baseline) [][]string {
	rows := [][]string{{"simpler method", "importance", "latency", "the optimum gains", ""}}
	for _, b := range all {
		row := []string{b.Name, "–", "–", "–", "found no configuration within the budget"}
		if b.Found {
			row = []string{b.Name, fmt.Sprint(b.Objective), fmt.Sprint(b.Latency), gain(best.Objective, b.Objective), ""}
			if !b.Fits {
				row[3], row[4] = "–", fmt.Sprintf("misses the budget by %.3g %%", 100*(float64(b.Latency)/float64(best.Budget)-1))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// gain is by how much more is kept, in words.
func gain(more, than int64) string {
	if than <= 0 {
		return fmt.Sprint(more - than)
	}
	return fmt.Sprintf("%.3g %%", 100*(float64(more)/float64(than)-1))
}

// jointAnswer is the solution of a problem file with several costs.
type jointAnswer struct {
	solve.JointSolution
	Latency int64  `json:"latency"`
	Limit   string `json:"limit,omitempty"`
	problem *solve.Problem
}

func (a *jointAnswer) cost(i int) (name, unit string) {
	if i == 0 {
		return "latency", a.problem.LatencyUnit
	}
	return a.problem.Costs[i-1].Name, a.problem.Costs[i-1].Unit
}

func (a *jointAnswer) failed() error {
	switch a.Status {
	case solve.Unknown:
		return fmt.Errorf("nothing within all budgets was found before the %s limit: raise it", a.Limit)
	case solve.Infeasible:
		for i, alone := range a.Alone {
			if alone.Status == solve.Infeasible {
				name, unit := a.cost(i)
				return infeasibleError{fmt.Errorf("budget %d of %s is below the least there is, %d %s: raise the budget", alone.Budget, name, alone.MinLatency, unit)}
			}
		}
		return infeasibleError{fmt.Errorf("each budget alone can be met, but no configuration meets all of them: raise one")}
	}
	return nil
}

func (a *jointAnswer) writeText(w io.Writer) error {
	rows := [][]string{{"problem", a.problem.Name}, {"status", status(a.Status, a.Limit)}}
	if a.Options != nil {
		rows = append(rows, chosen(a.problem, a.Objective, a.Bound, a.Gap, a.Options, a.BlocksOn)...)
	}
	if err := table(w, append(rows, solvedIn(a.Seconds))); err != nil {
		return err
	}
	fmt.Fprintln(w)
	rows = [][]string{{"cost", "budget", "one network", "alone", "importance alone", "price of one for all"}}
	for i, alone := range a.Alone {
		name, unit := a.cost(i)
		row := []string{name, fmt.Sprint(alone.Budget, " ", unit), "–", "–", "–", "–"}
		if a.Options != nil {
			row[2] = fmt.Sprint(a.Costs[i])
		}
		if alone.Options != nil {
			row[3], row[4] = fmt.Sprint(alone.Latency), fmt.Sprint(alone.Objective)
		}
		if a.Options != nil && alone.Objective > 0 {
			row[5] = fmt.Sprintf("%.3g %%", 100*(1-float64(a.Objective)/float64(alone.Objective)))
		}
		rows = append(rows, row)
	}
	return table(w, rows)
}
