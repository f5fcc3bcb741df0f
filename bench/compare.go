package bench

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Verdict on a row of two tables.
type Verdict string

// The verdicts: the interval of the ratio lies within the tolerance, below it, above
// it, or none of these for certain.
const (
	Same    Verdict = "SAME"
	Faster  Verdict = "FASTER"
	Slower  Verdict = "SLOWER"
	Unclear Verdict = "UNCLEAR"
)

// Comparison is a configuration in two tables.
type Comparison struct {
	Key     string  `json:"key"`
	ANS     int64   `json:"a_ns"` // medians
	BNS     int64   `json:"b_ns"`
	Ratio   float64 `json:"ratio"` // b ÷ a
	Low     float64 `json:"low"`   // Low to High covers the true ratio with about
	High    float64 `json:"high"`  // 95 % confidence
	Verdict Verdict `json:"verdict"`

	chance float64 // that a true ratio within the tolerance looks like this, or farther beyond it
}

// Compared is two tables side by side.
type Compared struct {
	Rows   []Comparison    `json:"rows"` // in the order of keys
	Counts map[Verdict]int `json:"counts"`
	Ratio  float64         `json:"ratio"`  // geometric mean
	Within float64         `json:"within"` // the tolerance, as a share
	Agree  float64         `json:"agree"`  // share of rows whose medians lie within it
	Only   [2]int          `json:"only"`   // rows that the other lacks
}

// Compare tells of every row that both tables have whether b is as fast as a, within
// a share of it.
//
// Medians are independent, so the logarithm of their ratio errs by the root of the
// sum of the squares of what theirs do, to either side. Of thousands of intervals of
// 95 % some lie beyond the tolerance by chance: as many are believed as keep the share
// of those among them below one in twenty (Benjamini and Hochberg, 1995).
func Compare(a, b []Row, within float64) Compared {
	c := Compared{Counts: map[Verdict]int{}, Within: within}
	of := map[string]Row{}
	for _, r := range b {
		of[r.Key] = r
	}
	var logs []float64
	for _, r := range byKey(a) {
		s, ok := of[r.Key]
		if !ok {
			c.Only[0]++
			continue
		}
		row := compareRows(r, s, within)
		c.Rows = append(c.Rows, row)
		logs = append(logs, math.Log(row.Ratio))
	}
	c.Only[1] = len(b) - len(c.Rows)
	c.settle()
	for _, row := range c.Rows {
		c.Counts[row.Verdict]++
	}
	if n := len(c.Rows); n > 0 {
		c.Ratio = math.Exp(stat.Mean(logs, nil))
		for _, row := range c.Rows {
			if inside(row.Ratio, row.Ratio, within) {
				c.Agree += 1 / float64(n)
			}
		}
	}
	return c
}

func compareRows(a, b Row, within float64) Comparison {
	log := func(ns int64) float64 { return math.Log(float64(max(ns, 1))) }
	ratio := log(b.MedianNS) - log(a.MedianNS)
	each := max(tick(slices.Sorted(slices.Values(a.SamplesNS))), tick(slices.Sorted(slices.Values(b.SamplesNS))))
	ta, tb := unseen(a.Result, each), unseen(b.Result, each)
	down := math.Hypot(log(b.MedianNS)-log(b.LowNS-tb), log(a.HighNS+ta)-log(a.MedianNS))
	up := math.Hypot(log(b.HighNS+tb)-log(b.MedianNS), log(a.MedianNS)-log(a.LowNS-ta))
	c := Comparison{Key: a.Key, ANS: a.MedianNS, BNS: b.MedianNS, Ratio: math.Exp(ratio), Low: math.Exp(ratio - down), High: math.Exp(ratio + up), Verdict: Unclear}
	beyond, half := ratio-math.Log(1+within), down
	if ratio < 0 {
		beyond, half = -ratio-math.Log(1+within), up
	}
	switch {
	case inside(c.Low, c.High, within):
		c.Verdict = Same
	case c.High < 1/(1+within):
		c.Verdict = Faster
	case c.Low > 1+within:
		c.Verdict = Slower
	}
	if c.chance = 1; beyond > 0 {
		c.chance = distuv.UnitNormal.Survival(beyond / max(half, 1e-9) * distuv.UnitNormal.Quantile(0.975))
	}
	return c
}

// settle takes back the verdicts of faster and slower that chance alone may have given.
func (c *Compared) settle() {
	chances := make([]float64, len(c.Rows))
	for i, r := range c.Rows {
		chances[i] = r.chance
	}
	slices.Sort(chances)
	most := 0.0
	for i, p := range chances {
		if p <= 0.05*float64(i+1)/float64(len(chances)) {
			most = p
		}
	}
	for i, r := range c.Rows {
		if (r.Verdict == Faster || r.Verdict == Slower) && r.chance > most {
			c.Rows[i].Verdict = Unclear
		}
	}
}

// unseen is how far beyond a row's interval its median may lie for the timer's ticks.
// Of coarse ticks the interval knows, unless all samples were the same and nobody knew
// the tick: then of three in n others none may have been seen.
func unseen(r Result, other int64) int64 {
	if r.TickNS > 0 {
		return 0
	}
	switch t := tick(slices.Sorted(slices.Values(r.SamplesNS))); {
	case t == 0:
		return 3 * other / int64(len(r.SamplesNS))
	case t >= coarse && t <= coarser:
		return 0
	default:
		return t
	}
}

func inside(low, high, within float64) bool { return low >= 1/(1+within) && high <= 1+within }

// Farthest lists rows, those first whose ratios are farthest from one.
func (c Compared) Farthest() []Comparison {
	far := func(r Comparison) float64 { return math.Abs(math.Log(r.Ratio)) }
	return slices.SortedStableFunc(slices.Values(c.Rows), func(a, b Comparison) int {
		switch {
		case far(a) > far(b):
			return -1
		case far(a) < far(b):
			return 1
		}
		return 0
	})
}
