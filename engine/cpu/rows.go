package cpu

import (
	"math"

	"mdp/engine"
)

//go:generate go run ./gen/rows -out rows_amd64.s -stubs rows_amd64.go -pkg cpu

// rows are the inner loops of the memory-bound operations. Where an argument
// is shorter than dst, it is one row of a matrix whose rows lie end to end, and
// serves every row alike; the last row may be cut short.
type rows struct {
	// moments adds to sum and sumSq the columns' Σ d and Σ d², d = x − x's first row.
	moments func(sum, sumSq, x []float32)
	// affine: y = clamp((x − mean)·scale + beta [+ z])
	affine    func(y, x, mean, scale, beta []float32, lo, hi float32)
	affineAdd func(y, x, z, mean, scale, beta []float32, lo, hi float32)
	// The same, y written past the caches.
	affinePast    func(y, x, mean, scale, beta []float32, lo, hi float32)
	affineAddPast func(y, x, z, mean, scale, beta []float32, lo, hi float32)
	// gradients adds to sumG and sumGX the columns' Σ g and Σ g·(x − mean), g = pass(dy, y).
	gradients func(sumG, sumGX, dy, y, x, mean []float32, lo, hi float32)
	// gradientsOf is gradients with y = (x − mean)·scale + beta.
	gradientsOf func(sumG, sumGX, dy, x, mean, scale, beta []float32, lo, hi float32)
	// The same of a tile of rows that lie stride apart; first is what moments take off.
	columnMoments     func(sum, sumSq, first, x []float32, rows, stride int)
	columnGradients   func(sumG, sumGX, mean, dy, y, x []float32, rows, stride int, lo, hi float32)
	columnGradientsOf func(sumG, sumGX, mean, scale, beta, dy, x []float32, rows, stride int, lo, hi float32)
	// input: dx = scale·(g − shift − (x − mean)·slope), dz (+)= g;  inputOf: y as above;
	// inputCopyPast: dz written past the caches
	input         func(dx, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32)
	inputOf       func(dx, dy, x, mean, scale, beta, shift, slope []float32, lo, hi float32)
	inputCopy     func(dx, dz, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32)
	inputCopyPast func(dx, dz, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32)
	inputAdd      func(dx, dz, dy, y, x, mean, scale, shift, slope []float32, lo, hi float32)
	// clamp: y = clamp(x);  add: y = clamp(a + b);  larger: y = max(y, x)
	clamp  func(y, x []float32, lo, hi float32)
	add    func(y, a, b []float32, lo, hi float32)
	larger func(y, x []float32)
	// send: dx += unsent where x = y, and unsent is 0 there
	send func(dx, unsent, y, x []float32)
	// pass: dx (+)= dy where not y ≤ lo and not y ≥ hi, else 0
	pass    func(dx, dy, y []float32, lo, hi float32)
	passAdd func(dx, dy, y []float32, lo, hi float32)
	// mul: y (+)= a·b, b a row
	mul, mulAdd func(y, a, b []float32)
	// sigmoid: y = 1/(1+e^−x);  hardSwish: y = x·clamp(x+3, 0, 6)/6;  silu: y = x·sigmoid(x)
	sigmoid, hardSwish, silu func(y, x []float32)
	// siluBack: dx (+)= dy·s·(1 + x·(1−s)), s = sigmoid(x)
	siluBack, siluBackAdd func(dx, dy, x []float32)
	// sgd: g = dp + wd·p;  v = m·v + g;  p −= lr·(ofG·g + ofV·v)
	sgd func(p, v, dp []float32, lr, m, wd, ofG, ofV float32)
}

// bounds are where an activation clamps its input; a smooth one does not.
func bounds(a engine.Act) (lo, hi float32) {
	inf := float32(math.Inf(1))
	switch a {
	case engine.ReLU:
		return 0, inf
	case engine.ReLU6:
		return 0, 6
	}
	return -inf, inf
}

// gate is where an activation's output stops the gradient; NaN, which compares
// with nothing, is no bound.
func gate(a engine.Act) (lo, hi float32) {
	nan := float32(math.NaN())
	switch a {
	case engine.ReLU:
		return 0, nan
	case engine.ReLU6:
		return 0, 6
	}
	return nan, nan
}

// gated is what gate looks at: y, or, where nothing is stopped, the gradient
// itself, which is read anyway.
func gated(a engine.Act, y, dy []float32) []float32 {
	if a == engine.Identity {
		return dy
	}
	return y
}

// A folding looks at a rows × c matrix as one with rows of width elements, a
// multiple of c, so that narrow matrices fill vector registers too, and cuts it
// into chunks of whole wide rows. It depends on the matrix alone, so that sums
// over chunks are the same for any number of workers.
type folding struct {
	len   int // elements
	c     int
	width int
	chunk int // elements
}

const (
	foldWidth = 128     // at least; four cache lines or more to a row
	chunkLen  = 1 << 15 // about; three operands of a chunk fit in a core's cache
	chunkRows = 32      // at least, so that a chunk's sums are small beside it
)

func fold(rows, c int) folding {
	width := c
	for width < foldWidth || c < 64 && width%16 != 0 {
		width += c
	}
	return folding{rows * c, c, width, width * max(chunkRows, chunkLen/width)}
}

func (f folding) chunks() int { return (f.len + f.chunk - 1) / f.chunk }

// partials is how many elements one sum for each column of each chunk has.
func (f folding) partials() int { return f.chunks() * f.width }

// of is chunk i of a matrix, nil for an absent one.
func (f folding) of(x []float32, i int) []float32 {
	if x == nil {
		return nil
	}
	return x[i*f.chunk : min(f.len, (i+1)*f.chunk)]
}

// sums is chunk i's row of partial sums.
func (f folding) sums(partial []float32, i int) []float32 {
	return partial[i*f.width : (i+1)*f.width]
}

// rows is how many whole wide rows chunk i has; columns before rest have one more.
func (f folding) rows(i int) (whole, rest int) {
	n := min(f.chunk, f.len-i*f.chunk)
	return n / f.width, n % f.width
}

// past says that what a pass over such matrices writes had better go past the caches:
// it would not be there any more when it is read, and memory is not read to be written.
// Vectors are whole then, and begin at multiples of their size.
func (f folding) past(matrices ...[]float32) bool {
	n, cache := 0, Info().L3
	for _, m := range matrices {
		n += 4 * len(m)
	}
	return f.c%16 == 0 && cache > 0 && n > cache
}

// total adds up channel c's partial sums.
func (f folding) total(partial []float32, c int) float64 {
	var s float64
	for i := range f.chunks() {
		row := f.sums(partial, i)
		for j := c; j < len(row); j += f.c {
			s += float64(row[j])
		}
	}
	return s
}

// shifted is channel c's Σ x, from partial sums of x less each chunk's first row.
func (f folding) shifted(sum, x []float32, c int) float64 {
	var s float64
	for i := range f.chunks() {
		first, sum := f.of(x, i), f.sums(sum, i)
		rows, rest := f.rows(i)
		for j := c; j < min(f.width, len(first)); j += f.c {
			n := float64(rows)
			if j < rest {
				n++
			}
			s += n*float64(first[j]) + float64(sum[j])
		}
	}
	return s
}

// squares is channel c's Σ (x − mean)², from partial sums likewise.
func (f folding) squares(sum, sumSq, x []float32, c int, mean float64) float64 {
	var s float64
	for i := range f.chunks() {
		first, sum, sumSq := f.of(x, i), f.sums(sum, i), f.sums(sumSq, i)
		rows, rest := f.rows(i)
		for j := c; j < min(f.width, len(first)); j += f.c {
			n := float64(rows)
			if j < rest {
				n++
			}
			d := float64(first[j]) - mean
			s += float64(sumSq[j]) + d*(2*float64(sum[j])+n*d)
		}
	}
	return max(s, 0)
}

// spread writes channel c's parameter to its columns of a wide row.
func (f folding) spread(row []float32, c int, v float32) {
	for j := c; j < len(row); j += f.c {
		row[j] = v
	}
}

// cut takes the next n elements off scratch memory.
func cut(scratch *[]float32, n int) []float32 {
	s := (*scratch)[:n:n]
	*scratch = (*scratch)[n:]
	return s
}
