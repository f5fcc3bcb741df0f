package enginetest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"mdp/engine"
)

// source is a stream of random numbers that depends on the name alone.
func source(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

// data makes values for everything a call reads. Everything in it is exact in
// float32, and is a small integer where integers is set.
func data(c testCase, integers bool) Memory {
	rng, m := source(c.String()), Memory{}
	for _, o := range c.call.Operands() {
		if m[o.Buffer] != nil {
			continue
		}
		x := make([]float64, o.Len)
		for i := range x {
			if integers {
				x[i] = float64(rng.IntN(7) - 3)
			} else {
				x[i] = float64(float32(rng.NormFloat64()))
			}
		}
		m[o.Buffer] = x
	}
	maskData(rng, c.call, m)
	switch c := c.call.(type) {
	case engine.BatchNormForward:
		offset(rng, m[c.X], c.C)
		positive(m[c.RunVar])
	case engine.ConvBatchNorm:
		for k := range m[c.B] { // every channel far from zero
			m[c.B][k] = float64(float32(100 * rng.NormFloat64()))
		}
		positive(m[c.Norm.RunVar])
	case engine.BatchNormInfer:
		offset(rng, m[c.X], c.C)
		positive(m[c.RunVar])
	case engine.BatchNormBackward:
		backwardData(c, m)
	case engine.ConvBackwardBatchNorm:
		backwardData(c.Norm, m)
	case engine.Activate:
		spread(m[c.X])
	case engine.ActivateBackward:
		activated(c.Act, m[c.Y])
		spread(m[c.X])
	case engine.ClampBackward:
		Reference(engine.Clamp{Alpha: c.Alpha, Beta: .5, Low: c.Low, High: c.High, Y: c.Y, X: c.Y}, m)
		for i, y := range m[c.Y] {
			m[c.Y][i] = float64(float32(y))
		}
	case engine.MaxPoolBackward:
		Reference(engine.MaxPoolForward{Pool: c.Pool, Y: c.Y, X: c.X}, m)
	case engine.SoftmaxLoss:
		for i, x := range m[c.X] { // halves: some logits tie
			m[c.X][i] = math.Round(8*x) / 2
		}
		for n := range m[c.Labels] {
			m[c.Labels][n] = float64(rng.IntN(c.C))
			if rng.IntN(5) == 0 {
				m[c.Labels][n] = -1
			}
		}
		copy(m[c.Scale], []float64{1 << 10, 3, 1 << 12, 1}) // the scale alone is read
	case engine.Record:
		m[c.History][3*c.Steps] = float64(rng.IntN(c.Steps))
	case engine.SGD:
		copy(m[c.Hyper], []float64{.5, .75, .25})
		copy(m[c.Scale], []float64{1 << 10, 3, .5, 1})
		if c.Scale != engine.None && c.Nesterov {
			skipped(m[c.Scale], m[c.DP])
		}
	case engine.Importance:
		for _, signed := range c.Signed {
			signed := m[signed]
			signed[len(signed)/2] = 0
		}
		copy(m[c.Scale], []float64{1 << 10, 3, .5, 1})
		if c.Scale != engine.None && len(c.Signed) == 2 {
			skipped(m[c.Scale], m[c.Signed[1]])
		}
	case engine.LossScale:
		state, dp := m[c.State], m[c.DP]
		copy(state, []float64{1 << 16, 4, 1 << 10, 2})
		switch c.Growth { // of 5, this step is the last
		case 0:
			dp[len(dp)-1] = math.Inf(1)
		case 1:
			dp[len(dp)/2] = math.Inf(-1)
		case 2:
			dp[0] = math.NaN()
		case 3: // the largest numbers are finite, and there is no larger scale
			dp[0], state[0], state[1] = math.MaxFloat32, 1<<24, 2
		case 4: // nor a smaller one
			dp[0], state[0] = math.NaN(), 1
		}
	}
	return m
}

// skipped is a LossScale's state after gradients that were not finite.
func skipped(state, gradients []float64) {
	state[2], gradients[len(gradients)/2] = 0, math.NaN()
}

func backwardData(c engine.BatchNormBackward, m Memory) {
	positive(m[c.InvStd])
	activated(c.Act, m[c.Y])
	if c.Act != engine.Identity && c.Y == engine.None {
		spread(m[c.X])
	}
}

// offset moves every channel far from zero and stretches it.
func offset(rng *rand.Rand, x []float64, channels int) {
	for c := range channels {
		mean, std := 100*rng.NormFloat64(), math.Exp(rng.NormFloat64())
		for i := c; i < len(x); i += channels {
			x[i] = float64(float32(mean + std*x[i]))
		}
	}
}

// spread reaches both ends of every activation, far beyond where e^x overflows.
func spread(x []float64) {
	for i := range x {
		x[i] *= 4
	}
	if len(x) > 2 {
		x[0], x[len(x)-1] = -200, 200
	}
}

func positive(x []float64) {
	for i := range x {
		x[i] = float64(float32(math.Abs(x[i]) + .5))
	}
}

// activated turns x into an activation's output with both ends of its range in it.
func activated(a engine.Act, x []float64) {
	for i := range x {
		x[i] = act(a, float64(float32(4*x[i])))
	}
}
