package cpu

import "math"

// goRows are the row kernels in Go, for any machine.
var goRows = rows{
	moments: momentsGo, columnMoments: columnMomentsGo, columnGradients: columnGradientsGo, columnGradientsOf: columnGradientsOfGo,
	affine: affineOfGo, affineAdd: affineGo, affinePast: affineOfGo, affineAddPast: affineGo,
	gradients: gradientsGo, gradientsOf: gradientsOfGo,
	inputOf: inputOfGo,
	input: func(dx, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32) {
		inputGo(dx, nil, dy, y, x, mean, scale, shift, slope, lo, hi, false)
	},
	inputCopy: inputCopyGo, inputCopyPast: inputCopyGo,
	inputAdd: func(dx, dz, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32) {
		inputGo(dx, dz, dy, y, x, mean, scale, shift, slope, lo, hi, true)
	},
	clamp:   clampGo,
	add:     addGo,
	larger:  largerGo,
	send:    sendGo,
	pass:    passGo,
	passAdd: passAddGo,
	mul:     mulGo, mulAdd: mulAddGo,
	sigmoid: sigmoidGo, hardSwish: hardSwishGo,
	silu: siluGo, siluBack: siluBackGo, siluBackAdd: siluBackAddGo,
	sgd: sgdGo,
}

func momentsGo(sum, sumSq, x []float32) {
	first := x[:min(len(sum), len(x))]
	for len(x) > 0 {
		row := x[:min(len(sum), len(x))]
		first, sum, sumSq := first[:len(row)], sum[:len(row)], sumSq[:len(row)]
		for j, v := range row {
			d := v - first[j]
			sum[j] += d
			sumSq[j] += d * d
		}
		x = x[len(row):]
	}
}

func columnMomentsGo(sum, sumSq, first, x []float32, rows, stride int) {
	for i := range rows {
		for j, v := range x[i*stride:][:len(sum)] {
			d := v - first[j]
			sum[j] += d
			sumSq[j] += d * d
		}
	}
}

func columnGradientsGo(sumG, sumGX, mean, dy, y, x []float32, rows, stride int, lo, hi float32) {
	for i := range rows {
		gradientsGo(sumG, sumGX, dy[i*stride:], y[i*stride:], x[i*stride:][:len(sumG)], mean, lo, hi)
	}
}

func columnGradientsOfGo(sumG, sumGX, mean, scale, beta, dy, x []float32, rows, stride int, lo, hi float32) {
	for i := range rows {
		gradientsOfGo(sumG, sumGX, dy[i*stride:], x[i*stride:][:len(sumG)], mean, scale, beta, lo, hi)
	}
}

func affineOfGo(y, x, mean, scale, beta []float32, lo, hi float32) {
	affineGo(y, x, nil, mean, scale, beta, lo, hi)
}

func affineGo(y, x, z, mean, scale, beta []float32, lo, hi float32) {
	for i := 0; i < len(y); i += len(mean) {
		n := min(len(mean), len(y)-i)
		y, x, mean, scale, beta := y[i:][:n], x[i:][:n], mean[:n], scale[:n], beta[:n]
		if z == nil {
			for j, v := range x {
				y[j] = clamp((v-mean[j])*scale[j]+beta[j], lo, hi)
			}
			continue
		}
		z := z[i:][:n]
		for j, v := range x {
			y[j] = clamp((v-mean[j])*scale[j]+beta[j]+z[j], lo, hi)
		}
	}
}

func gradientsGo(sumG, sumGX, dy, y, x, mean []float32, lo, hi float32) {
	for i := 0; i < len(x); i += len(mean) {
		n := min(len(mean), len(x)-i)
		dy, y, x, mean, sumG, sumGX := dy[i:][:n], y[i:][:n], x[i:][:n], mean[:n], sumG[:n], sumGX[:n]
		for j, v := range x {
			g := pass(dy[j], y[j], lo, hi)
			sumG[j] += g
			sumGX[j] += g * (v - mean[j])
		}
	}
}

func gradientsOfGo(sumG, sumGX, dy, x, mean, scale, beta []float32, lo, hi float32) {
	for i := 0; i < len(x); i += len(mean) {
		n := min(len(mean), len(x)-i)
		dy, x, mean, scale, beta, sumG, sumGX := dy[i:][:n], x[i:][:n], mean[:n], scale[:n], beta[:n], sumG[:n], sumGX[:n]
		for j, v := range x {
			d := v - mean[j]
			g := pass(dy[j], d*scale[j]+beta[j], lo, hi)
			sumG[j] += g
			sumGX[j] += g * d
		}
	}
}

func inputOfGo(dx, dy, x, mean, scale, beta, shift, slope []float32, lo, hi float32) {
	for i := 0; i < len(dx); i += len(mean) {
		n := min(len(mean), len(dx)-i)
		dx, dy, x := dx[i:][:n], dy[i:][:n], x[i:][:n]
		mean, scale, beta, shift, slope := mean[:n], scale[:n], beta[:n], shift[:n], slope[:n]
		for j, v := range x {
			d := v - mean[j]
			dx[j] = scale[j] * (pass(dy[j], d*scale[j]+beta[j], lo, hi) - shift[j] - d*slope[j])
		}
	}
}

func inputCopyGo(dx, dz, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32) {
	inputGo(dx, dz, dy, y, x, mean, scale, shift, slope, lo, hi, false)
}

func inputGo(dx, dz, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32, accumulate bool) {
	for i := 0; i < len(dx); i += len(mean) {
		n := min(len(mean), len(dx)-i)
		dx, dy, y, x := dx[i:][:n], dy[i:][:n], y[i:][:n], x[i:][:n]
		mean, scale, shift, slope := mean[:n], scale[:n], shift[:n], slope[:n]
		// dz first: dx may lie where dy does.
		switch {
		case accumulate:
			passAddGo(dz[i:][:n], dy, y, lo, hi)
		case dz != nil:
			passGo(dz[i:][:n], dy, y, lo, hi)
		}
		for j, v := range x {
			dx[j] = scale[j] * (pass(dy[j], y[j], lo, hi) - shift[j] - (v-mean[j])*slope[j])
		}
	}
}

func clampGo(y, x []float32, lo, hi float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = clamp(v, lo, hi)
	}
}

func addGo(y, a, b []float32, lo, hi float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i, v := range a {
		y[i] = clamp(v+b[i], lo, hi)
	}
}

func largerGo(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = max(y[i], v)
	}
}

func sendGo(dx, unsent, y, x []float32) {
	unsent, y, x = unsent[:len(dx)], y[:len(dx)], x[:len(dx)]
	for c, v := range x {
		if v == y[c] {
			dx[c] += unsent[c]
			unsent[c] = 0
		}
	}
}

func passGo(dx, dy, y []float32, lo, hi float32) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	for i, g := range dy {
		dx[i] = pass(g, y[i], lo, hi)
	}
}

func passAddGo(dx, dy, y []float32, lo, hi float32) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	for i, g := range dy {
		dx[i] += pass(g, y[i], lo, hi)
	}
}

func sgdGo(p, v, dp []float32, lr, m, wd, ofG, ofV float32) {
	v, dp = v[:len(p)], dp[:len(p)]
	for i, w := range p {
		g := dp[i] + wd*w
		v[i] = m*v[i] + g
		p[i] = w - lr*(ofG*g+ofV*v[i])
	}
}

func clamp(v, lo, hi float32) float32 { return min(max(v, lo), hi) }

// pass selects by bits, which takes no branch: signs are hard to predict.
func pass(g, y, lo, hi float32) float32 {
	bits := math.Float32bits(g)
	if y <= lo {
		bits = 0
	}
	if y >= hi {
		bits = 0
	}
	return math.Float32frombits(bits)
}
