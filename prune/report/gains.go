package report

// gains are what the joint choice of channels and blocks wins over simpler
// methods: a row for each method, a cell for each budget.
type gains struct {
	Budgets []string
	Rows    []gainRow
}

type gainRow struct {
	Name  string
	Cells []gainCell
}

type gainCell struct {
	Text string
	Bad  bool // the method misses the budget, or has no answer
}

func newGains(all []Solution) gains {
	var g gains
	at := map[string]int{}
	for _, s := range all {
		if len(s.Baselines) == 0 {
			continue
		}
		column := len(g.Budgets)
		g.Budgets = append(g.Budgets, s.Budget)
		for _, b := range s.Baselines {
			i, ok := at[b.Name]
			if !ok {
				i, at[b.Name] = len(g.Rows), len(g.Rows)
				g.Rows = append(g.Rows, gainRow{Name: b.Name})
			}
			for len(g.Rows[i].Cells) <= column {
				g.Rows[i].Cells = append(g.Rows[i].Cells, gainCell{Text: unknown})
			}
			g.Rows[i].Cells[column] = newGainCell(s, b)
		}
	}
	for i := range g.Rows {
		for len(g.Rows[i].Cells) < len(g.Budgets) {
			g.Rows[i].Cells = append(g.Rows[i].Cells, gainCell{Text: unknown})
		}
	}
	return g
}

func newGainCell(s Solution, b Baseline) gainCell {
	over := ratio(&b.LatencyMS, &s.BudgetMS)
	more := ratio(&s.Importance, &b.Importance)
	switch {
	case !b.Found:
		return gainCell{"no answer", true}
	case !b.Fits && over != nil:
		return gainCell{scaled(new(*over-1), 100, "%.1f %% over budget"), true}
	case !b.Fits:
		return gainCell{"over budget", true}
	case more == nil:
		return gainCell{unknown, false}
	}
	return gainCell{scaled(new(*more-1), 100, "%+.2f %%"), false}
}
