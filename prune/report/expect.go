package report

import (
	"math"
	"strconv"
	"strings"
)

// Expectation is something the run was expected to reach: Value ≤ Bound.
type Expectation struct {
	Text  string   `json:"text"`
	Bound float64  `json:"bound"`
	Value *float64 `json:"value"` // nil: it could not be measured, which is a miss
	Unit  string   `json:"unit"`  // of both: x, points, %
	OK    bool     `json:"ok"`
}

// Expect states that value is at most bound. A value that is nil or not a
// number misses.
func Expect(text string, value *float64, bound float64, unit string) Expectation {
	return Expectation{Text: text, Bound: bound, Value: value, Unit: unit, OK: value != nil && *value <= bound}
}

// What a run at half the dense latency is held to, and every emitted network.
const (
	halfBudget         = 0.5
	halfLatencyBound   = 0.52 // measured latency / dense's
	halfLossBound      = 1.0  // points of accuracy below dense
	predictionErrorPct = 10.0 // |predicted − measured| / measured
)

// Expectations holds the networks to the bounds of a run: the network for
// half the dense latency measures at most 0.52 of it and, where it was
// fine-tuned, loses at most 1.0 point of accuracy; and each emitted network's
// latency was predicted within 10 %.
func Expectations(networks []Network) []Expectation {
	dense := find(networks, Dense, "")
	if dense == nil {
		dense = &Network{}
	}
	var out []Expectation
	for _, b := range budgets(Run{Networks: networks}) {
		n := emitted(networks, b)
		if n == nil {
			continue
		}
		if isHalf(b) {
			out = append(out, Expect(b+" measured latency, of dense", ratio(n.MeasuredMS, dense.MeasuredMS), halfLatencyBound, "x"))
			if n.Name == FineTuned {
				out = append(out, Expect(b+" accuracy lost", pointsBelow(dense.Accuracy, n.Accuracy), halfLossBound, "points"))
			}
		}
		out = append(out, Expect(b+" predicted against measured", errorPct(n.PredictedMS, n.MeasuredMS), predictionErrorPct, "%"))
	}
	return out
}

// isHalf tells whether a budget, as the user wrote it, is half the dense latency.
func isHalf(budget string) bool {
	factor, ok := strings.CutSuffix(strings.TrimSpace(budget), "x")
	v, err := strconv.ParseFloat(factor, 64)
	return ok && err == nil && v == halfBudget
}

// pointsBelow returns by how many points of 100 a lies under dense.
func pointsBelow(dense, a *float64) *float64 {
	if dense == nil || a == nil {
		return nil
	}
	return known(new(100 * (*dense - *a)))
}

// errorPct returns |predicted − measured| / measured in percent.
func errorPct(predicted, measured *float64) *float64 {
	if q := ratio(predicted, measured); q != nil {
		return known(new(100 * math.Abs(*q-1)))
	}
	return nil
}

// Outcome says what was reached: "0.508 x, at most 0.520 x".
func (x Expectation) Outcome() string {
	value := "not measured"
	if x.Value != nil {
		value = digits(*x.Value) + " " + x.Unit
	}
	return value + ", at most " + digits(x.Bound) + " " + x.Unit
}

// Status is the word that starts the line.
func (x Expectation) Status() string {
	if x.OK {
		return "ok"
	}
	return "MISSED"
}
