package cpu

// transform is the argument of Winograd's transforms, of n channels of one tile. The assembly knows the
// fields' offsets from gen/winograd.
type transform struct {
	from, to   []float32
	bias, z    []float32 // output only; nil is zero, z is laid out as to is
	tmp        []float32 // 36 vectors
	row, pixel int       // distances in the image or, of a filter, of its taps
	step       int       // distance of the 36 values
	n          int       // a multiple of the lanes
	rows, cols int       // output only: of the 4×4 pixels, those that exist
	lo, hi     float32
	_          ownLines
}

// transforms are those of an instruction set: Winograd's F(4×4, 3×3), arXiv 1509.09308.
type transforms struct{ input, filter, output, gradient, fold func(*transform) }

var winogradGo = transforms{winogradInputGo, winogradFilterGo, winogradOutputGo, winogradGradientGo, winogradFoldGo}

// winogradInputGo turns a tile of the image into what is multiplied. With B's columns those of inputColumn:
//
//	for c < n: to[(6i+j)·step + c] = (Bᵀ·d·B)[i,j],  d[i,j] = from[i·row + j·pixel + c],  i, j < 6
func winogradInputGo(t *transform) {
	for c := range t.n {
		var d, e [6][6]float32
		for j := range 6 {
			var x [6]float32
			for i := range 6 {
				x[i] = t.from[i*t.row+j*t.pixel+c]
			}
			for i, v := range inputColumn(x) {
				d[i][j] = v
			}
		}
		for i := range 6 {
			e[i] = inputColumn(d[i])
			for j, v := range e[i] {
				t.to[(6*i+j)*t.step+c] = v
			}
		}
	}
}

func inputColumn(d [6]float32) [6]float32 {
	a, b, c, e := d[4]-4*d[2], d[3]-4*d[1], d[4]-d[2], d[3]-d[1]
	return [6]float32{d[4] - 5*d[2] + 4*d[0], a + b, a - b, c + 2*e, c - 2*e, d[5] - 5*d[3] + 4*d[1]}
}

// winogradFilterGo turns filters into what multiplies:
//
//	for c < n: to[(6i+j)·step + c] = (G·g·Gᵀ)[i,j],  g[i,j] = from[i·row + j·pixel + c],  i, j < 3
func winogradFilterGo(t *transform) {
	for c := range t.n {
		var g [6][3]float32
		for j := range 3 {
			var x [3]float32
			for i := range 3 {
				x[i] = t.from[i*t.row+j*t.pixel+c]
			}
			for i, v := range filterColumn(x) {
				g[i][j] = v
			}
		}
		for i := range 6 {
			for j, v := range filterColumn(g[i]) {
				t.to[(6*i+j)*t.step+c] = v
			}
		}
	}
}

func filterColumn(g [3]float32) [6]float32 {
	outer, far := g[0]+g[2], g[0]*(1./24)+g[2]*(1./6)
	return [6]float32{g[0] * (1. / 4), (outer + g[1]) * (-1. / 6), (outer - g[1]) * (-1. / 6),
		far + g[1]*(1./12), far - g[1]*(1./12), g[2]}
}

// winogradOutputGo turns sums of products into pixels:
//
//	for c < n, i < rows, j < cols:
//	  to[i·row + j·pixel + c] = min(max((Aᵀ·m·A)[i,j] + bias[c] + z[i·row + j·pixel + c], lo), hi)
//
// with m[i,j] = from[(6i+j)·step + c], i, j < 6.
func winogradOutputGo(t *transform) {
	for c := range t.n {
		var m [4][6]float32
		for j := range 6 {
			var x [6]float32
			for i := range 6 {
				x[i] = t.from[(6*i+j)*t.step+c]
			}
			for i, v := range outputColumn(x) {
				m[i][j] = v
			}
		}
		for i := range t.rows {
			y := outputColumn(m[i])
			for j := range t.cols {
				s, at := y[j], i*t.row+j*t.pixel+c
				if t.bias != nil {
					s += t.bias[c]
				}
				if t.z != nil {
					s += t.z[at]
				}
				if s < t.lo {
					s = t.lo
				}
				if s > t.hi {
					s = t.hi
				}
				t.to[at] = s
			}
		}
	}
}

func outputColumn(m [6]float32) [4]float32 {
	s, d, p, q := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	return [4]float32{m[0] + s + p, d + 2*q, s + 4*p, d + 8*q + m[5]}
}

// winogradGradientGo turns a tile of the output's gradient into what is multiplied for the filter's:
//
//	for c < n: to[(6i+j)·step + c] = (A·y·Aᵀ)[i,j],  y[i,j] = from[i·row + j·pixel + c],  i, j < 4
func winogradGradientGo(t *transform) {
	for c := range t.n {
		var m [6][4]float32
		for j := range 4 {
			var x [4]float32
			for i := range 4 {
				x[i] = t.from[i*t.row+j*t.pixel+c]
			}
			for i, v := range gradientColumn(x) {
				m[i][j] = v
			}
		}
		for i := range 6 {
			for j, v := range gradientColumn(m[i]) {
				t.to[(6*i+j)*t.step+c] = v
			}
		}
	}
}

func gradientColumn(y [4]float32) [6]float32 {
	a, b, c, d := y[0]+y[2], y[1]+y[3], y[0]+4*y[2], 2*y[1]+8*y[3]
	return [6]float32{y[0], a + b, a - b, c + d, c - d, y[3]}
}

// winogradFoldGo turns sums of those products into the gradient of a filter's taps:
//
//	for c < n: to[i·row + j·pixel + c] = (Gᵀ·u·G)[i,j],  u[i,j] = from[(6i+j)·step + c],  i, j < 6
func winogradFoldGo(t *transform) {
	for c := range t.n {
		var g [3][6]float32
		for j := range 6 {
			var x [6]float32
			for i := range 6 {
				x[i] = t.from[(6*i+j)*t.step+c]
			}
			for i, v := range foldColumn(x) {
				g[i][j] = v
			}
		}
		for i := range 3 {
			for j, v := range foldColumn(g[i]) {
				t.to[i*t.row+j*t.pixel+c] = v
			}
		}
	}
}

func foldColumn(u [6]float32) [3]float32 {
	s, d, p, q := u[1]+u[2], u[1]-u[2], u[3]+u[4], u[3]-u[4]
	return [3]float32{u[0]*(1./4) - s*(1./6) + p*(1./24), q*(1./12) - d*(1./6), u[5] - s*(1./6) + p*(1./6)}
}
