package cpu

import (
	"math"

	"mdp/engine"
)

type filterTaylor struct{ signed, w, dw []float32 }

func (o *filterTaylor) run(t *team) { t.run(o, len(o.signed)) }
func (o *filterTaylor) do(_, k int) {
	n := len(o.w) / len(o.signed)
	w, dw := pixel(o.w, k, n), pixel(o.dw, k, n)
	var sum float64
	for i, v := range w {
		sum += float64(v) * float64(dw[i])
	}
	o.signed[k] = float32(sum)
}

// importance is small: one worker does it.
type importance struct{ score, signed [][]float32 }

func newImportance(c engine.Importance, of map[engine.Buffer][]float32) op {
	o := &importance{}
	for i := range c.Score {
		o.score, o.signed = append(o.score, of[c.Score[i]]), append(o.signed, of[c.Signed[i]])
	}
	return o
}

func (o *importance) run(*team) {
	if len(o.score) == 0 {
		return
	}
	for c := range o.score[0] {
		var total, size float64
		for _, s := range o.signed {
			total += float64(s[c])
			size += math.Abs(float64(s[c]))
		}
		if size == 0 {
			continue
		}
		for l, s := range o.signed {
			o.score[l][c] += float32(math.Abs(total) * math.Abs(float64(s[c])) / size)
		}
	}
}
