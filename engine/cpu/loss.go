package cpu

import (
	"math"

	"github.com/chewxy/math32"
)

// softmaxLoss takes a row at a time and adds the rows' metrics up in order.
type softmaxLoss struct {
	n, c                   int
	metrics, dx, x, labels []float32
	scores                 []float32 // the metrics of each row
	smoothing              float32
}

func (o *softmaxLoss) run(t *team) {
	t.run(o, o.n)
	var sum [3]float64
	for i, v := range o.scores[:3*o.n] {
		sum[i%3] += float64(v)
	}
	for i, v := range sum {
		o.metrics[i] = float32(v)
	}
}

func (o *softmaxLoss) do(_, n int) {
	x, score := pixel(o.x, n, o.c), pixel(o.scores, n, 3)
	clear(score)
	label := int(o.labels[n])
	if label < 0 || label >= o.c {
		if o.dx != nil {
			clear(pixel(o.dx, n, o.c))
		}
		return
	}

	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var expSum, sum float64 // of exp(x − top) and of x − top
	for _, v := range x {
		expSum += float64(math32.Exp(v - top))
		sum += float64(v - top)
	}
	uniform, own := float64(o.smoothing)/float64(o.c), 1-float64(o.smoothing)
	score[0] = float32(math.Log(expSum) - uniform*sum - own*float64(x[label]-top))
	switch rank := rank(x, label); {
	case rank == 0:
		score[1], score[2] = 1, 1
	case rank < 5:
		score[2] = 1
	}

	if o.dx == nil {
		return
	}
	dx := pixel(o.dx, n, o.c)
	for c, v := range x {
		target := uniform
		if c == label {
			target += own
		}
		dx[c] = float32((float64(math32.Exp(v-top))/expSum - target) / float64(o.n))
	}
}

// rank is how many logits come before the label's; one that is not a number
// comes last, and has everything before it.
func rank(x []float32, label int) int {
	var n int
	for c, v := range x {
		behind := v < x[label] || v == x[label] && c >= label
		if !behind {
			n++
		}
	}
	return n
}

type record struct{ history, metrics []float32 }

func (o *record) run(*team) {
	steps := len(o.history) / 3
	next := &o.history[3*steps]
	s := int(*next)
	copy(o.history[3*s:], o.metrics)
	*next = float32((s + 1) % steps)
}
