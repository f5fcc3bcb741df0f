package enginetest

import (
	"fmt"
	"math"

	"mdp/engine"
)

// Memory holds a call's operands in float64.
type Memory map[engine.Buffer][]float64

// Reference computes a call in float64, as its doc comment says.
func Reference(c engine.Call, m Memory) {
	switch c := c.(type) {
	case engine.ConvForward:
		convForward(c, m)
	case engine.ConvBackwardData:
		convBackwardData(c, m)
	case engine.ConvBackwardFilter:
		convBackwardFilter(c, m)
	case engine.MaskedConvForward:
		maskedConvForward(c, m)
	case engine.MaskedConvBackwardData:
		maskedConvBackwardData(c, m)
	case engine.MaskedConvBackwardFilter:
		maskedConvBackwardFilter(c, m)
	case engine.MaskFilter:
		maskFilter(c, m)
	case engine.BiasBackward:
		biasBackward(c, m)
	case engine.BatchNormForward:
		batchNormForward(c, m)
	case engine.ConvBatchNorm:
		convForward(c.ConvForward, m)
		batchNormForward(c.Norm, m)
	case engine.ConvBackwardBatchNorm:
		convBackwardData(c.ConvBackwardData, m)
		batchNormBackward(c.Norm, m)
	case engine.BatchNormAgain:
		batchNormAgain(c, m)
	case engine.BatchNormInfer:
		batchNormInfer(c, m)
	case engine.BatchNormBackward:
		batchNormBackward(c, m)
	case engine.Activate:
		for i, x := range m[c.X] {
			m[c.Y][i] = act(c.Act, x)
		}
	case engine.ActivateBackward:
		for i, dy := range m[c.DY] {
			set(&m[c.DX][i], dy*slope(c.Act, m[c.Y], m[c.X], i), c.Accumulate)
		}
	case engine.Add:
		for i, a := range m[c.A] {
			m[c.Y][i] = act(c.Act, a+m[c.B][i])
		}
	case engine.Clamp, engine.ClampBackward, engine.Mul, engine.GateBackward, engine.Scale, engine.CopyChannels, engine.Softmax:
		gate(c, m)
	case engine.MaxPoolForward:
		maxPoolForward(c, m)
	case engine.MaxPoolBackward:
		maxPoolBackward(c, m)
	case engine.AvgPoolForward:
		avgPoolForward(c, m)
	case engine.AvgPoolBackward:
		avgPoolBackward(c, m)
	case engine.SoftmaxLoss:
		softmaxLoss(c, m)
	case engine.Record:
		history := m[c.History]
		s := history[3*c.Steps]
		copy(history[3*int(s):], m[c.Metrics])
		history[3*c.Steps] = math.Mod(s+1, float64(c.Steps))
	case engine.SGD:
		sgd(c, m)
	case engine.LossScale:
		lossScale(c, m)
	case engine.FilterTaylor:
		for k := range m[c.Signed] {
			m[c.Signed][k] = 0
			for i := k * c.Len; i < (k+1)*c.Len; i++ {
				m[c.Signed][k] += m[c.W][i] * m[c.DW][i]
			}
		}
	case engine.Importance:
		importance(c, m)
	case engine.Spin:
	default:
		panic(fmt.Sprintf("enginetest: no reference for %v", c))
	}
}

func act(a engine.Act, x float64) float64 {
	switch a {
	case engine.ReLU:
		return math.Max(x, 0)
	case engine.ReLU6:
		return math.Min(math.Max(x, 0), 6)
	case engine.Sigmoid:
		return sigmoid(x)
	case engine.HardSwish:
		return x * math.Min(math.Max(x+3, 0), 6) / 6
	case engine.SiLU:
		return x * sigmoid(x)
	}
	return x
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// slope is act' at output y[i] or, where that does not tell it, at input x[i];
// with Identity there may be neither.
func slope(a engine.Act, y, x []float64, i int) float64 {
	switch a {
	case engine.ReLU:
		return when(y[i] > 0)
	case engine.ReLU6:
		return when(y[i] > 0 && y[i] < 6)
	case engine.Sigmoid:
		return y[i] * (1 - y[i])
	case engine.HardSwish:
		switch v := x[i]; {
		case v <= -3:
			return 0
		case v < 3:
			return v/3 + 0.5
		}
		return 1
	case engine.SiLU:
		s := sigmoid(x[i])
		return s * (1 + x[i]*(1-s))
	}
	return 1
}

func when(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func set(dst *float64, v float64, accumulate bool) {
	if accumulate {
		*dst += v
	} else {
		*dst = v
	}
}

// at is x[i], or 0 where x is absent.
func at(x []float64, i int) float64 {
	if x == nil {
		return 0
	}
	return x[i]
}

func start(x []float64, accumulate bool) {
	if !accumulate {
		clear(x)
	}
}

// taps calls f for every place in y and tap of the filter, with the places in x and w of the first
// of the channels that are multiplied there, which lie side by side.
func taps(g engine.Conv, f func(y, x, w int)) {
	cg, kg := g.C/g.Groups, g.K/g.Groups
	for n := range g.N {
		for p := range g.P {
			for q := range g.Q {
				for k := range g.K {
					for r := range g.R {
						h := p*g.Stride[0] + r*g.Dilation[0] - g.Pad[0]
						if h < 0 || h >= g.H {
							continue
						}
						for s := range g.S {
							w := q*g.Stride[1] + s*g.Dilation[1] - g.Pad[1]
							if w < 0 || w >= g.W {
								continue
							}
							f(((n*g.P+p)*g.Q+q)*g.K+k, ((n*g.H+h)*g.W+w)*g.C+k/kg*cg, ((k*g.R+r)*g.S+s)*cg)
						}
					}
				}
			}
		}
	}
}

// normed is what a call reads of x with c channels.
func normed(n engine.InputNorm, x []float64, c int, m Memory) []float64 {
	if n.Mean == engine.None {
		return x
	}
	y := make([]float64, len(x))
	for i, v := range x {
		c := i % c
		y[i] = act(n.Act, m[n.Gamma][c]*(v-m[n.Mean][c])*m[n.InvStd][c]+m[n.Beta][c])
	}
	return y
}

func convForward(c engine.ConvForward, m Memory) {
	y, x, w, b, z := m[c.Y], normed(c.XNorm, m[c.X], c.C, m), m[c.W], m[c.B], m[c.Z]
	for i := range y {
		y[i] = at(b, i%c.K) + at(z, i)
	}
	taps(c.Conv, func(iy, ix, iw int) {
		for i := range c.C / c.Groups {
			y[iy] += x[ix+i] * w[iw+i]
		}
	})
	for i := range y {
		y[i] = act(c.Act, y[i])
	}
}

func convBackwardData(c engine.ConvBackwardData, m Memory) {
	dx, dy, w := m[c.DX], m[c.DY], m[c.W]
	start(dx, c.Accumulate)
	taps(c.Conv, func(iy, ix, iw int) {
		for i := range c.C / c.Groups {
			dx[ix+i] += dy[iy] * w[iw+i]
		}
	})
}

func convBackwardFilter(c engine.ConvBackwardFilter, m Memory) {
	dw, dy, x := m[c.DW], m[c.DY], normed(c.XNorm, m[c.X], c.C, m)
	clear(dw)
	taps(c.Conv, func(iy, ix, iw int) {
		for i := range c.C / c.Groups {
			dw[iw+i] += dy[iy] * x[ix+i]
		}
	})
}

func biasBackward(c engine.BiasBackward, m Memory) {
	clear(m[c.DB])
	for i, dy := range m[c.DY] {
		m[c.DB][i%c.C] += dy
	}
}

func batchNormForward(o engine.BatchNormForward, m Memory) {
	rows, momentum := float64(o.Rows), float64(o.Momentum)
	for c := range o.C {
		var mean, variance float64
		for i := c; i < len(m[o.X]); i += o.C {
			mean += m[o.X][i] / rows
		}
		for i := c; i < len(m[o.X]); i += o.C {
			d := m[o.X][i] - mean
			variance += d * d / rows
		}
		invStd := 1 / math.Sqrt(variance+float64(o.Eps))
		m[o.Mean][c], m[o.InvStd][c] = mean, invStd
		m[o.RunMean][c] = (1-momentum)*m[o.RunMean][c] + momentum*mean
		unbiased := variance * rows / math.Max(rows-1, 1)
		m[o.RunVar][c] = (1-momentum)*m[o.RunVar][c] + momentum*unbiased
		for i := c; i < len(m[o.Y]); i += o.C {
			m[o.Y][i] = act(o.Act, m[o.Gamma][c]*(m[o.X][i]-mean)*invStd+m[o.Beta][c]+at(m[o.Z], i))
		}
	}
}

func batchNormAgain(o engine.BatchNormAgain, m Memory) {
	for i, x := range m[o.X] {
		c := i % o.C
		m[o.Y][i] = act(o.Act, m[o.Gamma][c]*(x-m[o.Mean][c])*m[o.InvStd][c]+m[o.Beta][c]+at(m[o.Z], i))
	}
}

func batchNormInfer(o engine.BatchNormInfer, m Memory) {
	for i, x := range m[o.X] {
		c := i % o.C
		invStd := 1 / math.Sqrt(m[o.RunVar][c]+float64(o.Eps))
		m[o.Y][i] = act(o.Act, m[o.Gamma][c]*(x-m[o.RunMean][c])*invStd+m[o.Beta][c]+at(m[o.Z], i))
	}
}

func batchNormBackward(o engine.BatchNormBackward, m Memory) {
	rows, y := float64(o.Rows), m[o.Y]
	if o.Y == engine.None {
		y = normed(engine.InputNorm{Gamma: o.Gamma, Beta: o.Beta, Mean: o.Mean, InvStd: o.InvStd, Act: o.Act}, m[o.X], o.C, m)
	}
	for c := range o.C {
		gamma, mean, invStd := m[o.Gamma][c], m[o.Mean][c], m[o.InvStd][c]
		var dGamma, dBeta float64
		for i := c; i < len(m[o.X]); i += o.C {
			g := m[o.DY][i] * slope(o.Act, y, nil, i)
			dBeta += g
			dGamma += g * (m[o.X][i] - mean) * invStd
		}
		m[o.DGamma][c], m[o.DBeta][c] = dGamma, dBeta
		if o.Signed != engine.None {
			m[o.Signed][c] = gamma*dGamma + m[o.Beta][c]*dBeta
		}
		for i := c; i < len(m[o.X]); i += o.C {
			g := m[o.DY][i] * slope(o.Act, y, nil, i)
			m[o.DX][i] = gamma * invStd * (g - dBeta/rows - (m[o.X][i]-mean)*invStd*dGamma/rows)
			if o.DZ != engine.None {
				set(&m[o.DZ][i], g, o.AccumulateZ)
			}
		}
	}
}

// windows calls f for every output of a pool with the places in x it looks at.
func windows(g engine.Pool, f func(y int, x []int)) {
	for n := range g.N {
		for p := range g.P {
			for q := range g.Q {
				for c := range g.C {
					var x []int
					for h := p*g.Stride[0] - g.Pad[0]; h < p*g.Stride[0]-g.Pad[0]+g.R; h++ {
						for w := q*g.Stride[1] - g.Pad[1]; w < q*g.Stride[1]-g.Pad[1]+g.S; w++ {
							if 0 <= h && h < g.H && 0 <= w && w < g.W {
								x = append(x, ((n*g.H+h)*g.W+w)*g.C+c)
							}
						}
					}
					f(((n*g.P+p)*g.Q+q)*g.C+c, x)
				}
			}
		}
	}
}

func maxPoolForward(c engine.MaxPoolForward, m Memory) {
	windows(c.Pool, func(y int, x []int) {
		m[c.Y][y] = math.Inf(-1)
		for _, i := range x {
			m[c.Y][y] = math.Max(m[c.Y][y], m[c.X][i])
		}
	})
}

func maxPoolBackward(c engine.MaxPoolBackward, m Memory) {
	start(m[c.DX], c.Accumulate)
	windows(c.Pool, func(y int, x []int) {
		for _, i := range x {
			if m[c.X][i] == m[c.Y][y] {
				m[c.DX][i] += m[c.DY][y]
				return
			}
		}
	})
}

func divisor(g engine.Pool, inside int, countPad bool) float64 {
	if countPad {
		return float64(g.R * g.S)
	}
	return float64(inside)
}

func avgPoolForward(c engine.AvgPoolForward, m Memory) {
	windows(c.Pool, func(y int, x []int) {
		var sum float64
		for _, i := range x {
			sum += m[c.X][i]
		}
		m[c.Y][y] = sum / divisor(c.Pool, len(x), c.CountPad)
	})
}

func avgPoolBackward(c engine.AvgPoolBackward, m Memory) {
	start(m[c.DX], c.Accumulate)
	windows(c.Pool, func(y int, x []int) {
		for _, i := range x {
			m[c.DX][i] += m[c.DY][y] / divisor(c.Pool, len(x), c.CountPad)
		}
	})
}

func softmaxLoss(o engine.SoftmaxLoss, m Memory) {
	metrics, smoothing, scale := m[o.Metrics], float64(o.Smoothing), 1.
	if o.Scale != engine.None {
		scale = m[o.Scale][0]
	}
	clear(metrics)
	clear(m[o.DX])
	for n, l := range m[o.Labels] {
		if l < 0 {
			continue
		}
		label, x := int(l), m[o.X][n*o.C:(n+1)*o.C]
		top, sum := math.Inf(-1), 0.0
		for _, v := range x {
			top = math.Max(top, v)
		}
		for _, v := range x {
			sum += math.Exp(v - top)
		}
		before := 0
		for c, v := range x {
			target := smoothing / float64(o.C)
			if c == label {
				target += 1 - smoothing
			}
			metrics[0] -= target * (v - top - math.Log(sum))
			if o.DX != engine.None {
				m[o.DX][n*o.C+c] = scale * (math.Exp(v-top)/sum - target) / float64(o.N)
			}
			if v > x[label] || v == x[label] && c < label {
				before++
			}
		}
		if before < 1 {
			metrics[1]++
		}
		if before < 5 {
			metrics[2]++
		}
	}
}

func sgd(c engine.SGD, m Memory) {
	lr, momentum, decay := m[c.Hyper][0], m[c.Hyper][1], m[c.Hyper][2]
	unscale := unscaleOf(c.Scale, m)
	if unscale == 0 {
		return
	}
	for i, dp := range m[c.DP] {
		if i == c.Decayed {
			decay = 0
		}
		g := unscale*dp + decay*m[c.P][i]
		m[c.V][i] = momentum*m[c.V][i] + g
		if c.Nesterov {
			m[c.P][i] -= lr * (g + momentum*m[c.V][i])
		} else {
			m[c.P][i] -= lr * m[c.V][i]
		}
	}
}

func importance(o engine.Importance, m Memory) {
	unscale := unscaleOf(o.Scale, m)
	if unscale == 0 {
		return
	}
	for c := range o.C {
		var t, a float64
		for _, signed := range o.Signed {
			t += m[signed][c]
			a += math.Abs(m[signed][c])
		}
		for l, signed := range o.Signed {
			if a > 0 {
				m[o.Score[l]][c] += unscale * math.Abs(t) * math.Abs(m[signed][c]) / a
			}
		}
	}
}

func unscaleOf(scale engine.Buffer, m Memory) float64 {
	if scale == engine.None {
		return 1
	}
	return m[scale][2]
}

func lossScale(c engine.LossScale, m Memory) {
	state := m[c.State]
	scale, good := state[0], state[1]+1
	for _, dp := range m[c.DP] {
		if math.IsNaN(dp) || math.IsInf(dp, 0) {
			copy(state, []float64{math.Max(scale/2, 1), 0, 0, state[3] + 1})
			return
		}
	}
	state[2] = 1 / scale
	if int(good) == c.Growth {
		scale, good = math.Min(2*scale, 1<<24), 0
	}
	state[0], state[1] = scale, good
}
