package cpu

const genericLanes = 8

var genericConv = convKernels{
	lanes: genericLanes,

	rows: [maxVectors + 1]int{0, 4, 4, 4},
	gemm: [maxVectors + 1]func(*tile){nil, gemmGeneric, gemmGeneric, gemmGeneric},

	outerRows: [maxVectors + 1]int{0, 4, 4, 4},
	outer:     [maxVectors + 1]func(*outer){nil, outerGeneric, outerGeneric, outerGeneric},

	pixels:   1,
	walk:     walkGeneric,
	products: productsGeneric,
}

// gemmGeneric multiplies rows of pixels with a packed panel of n = padded(cols) columns:
//
//	for i < rows, j < cols:
//	  s = Σ over g < segs, k < seg of a[i·lda + g·segStride + k] · b[(g·seg+k)·n + j]
//	  c[i·ldc+j] = min(max(s + bias[j] + z[i·ldc+j], lo), hi)
func gemmGeneric(t *tile) {
	n := (t.cols + genericLanes - 1) / genericLanes * genericLanes
	for i := range t.rows {
		for j := 0; j < t.cols; j += genericLanes {
			var acc [genericLanes]float32
			for g := range t.segs {
				if t.seg == 0 {
					break
				}
				b := t.b[g*t.seg*n+j:]
				for k, a := range t.a[i*t.lda+g*t.segStride:][:t.seg] {
					for l, b := range b[k*n:][:genericLanes] {
						acc[l] += a * b
					}
				}
			}
			t.store(acc[:min(genericLanes, t.cols-j)], i, j)
		}
	}
}

// store is the kernels' epilogue for some columns of row i.
func (t *tile) store(acc []float32, i, j int) {
	for l, s := range acc {
		if t.bias != nil {
			s += t.bias[j+l]
		}
		if t.z != nil {
			s += t.z[i*t.ldc+j+l]
		}
		if s < t.lo {
			s = t.lo
		}
		if s > t.hi {
			s = t.hi
		}
		t.c[i*t.ldc+j+l] = s
	}
}

// outerGeneric sums outer products of pixels:
//
//	for i < rows, j < cols:
//	  c[i·ldc+j] (+)= Σ over g < segs, m < seg of a[g·segA + m·lda + i] · b[g·segB + m·ldb + j]
func outerGeneric(t *outer) {
	for i := range t.rows {
		for j := 0; j < t.cols; j += genericLanes {
			var acc [genericLanes]float32
			n := min(genericLanes, t.cols-j)
			for g := range t.segs {
				for m := range t.seg {
					a := t.a[g*t.segA+m*t.lda+i]
					for l, b := range t.b[g*t.segB+m*t.ldb+j:][:n] {
						acc[l] += a * b
					}
				}
			}
			t.store(acc[:n], i, j)
		}
	}
}

func (t *outer) store(acc []float32, i, j int) {
	c := t.c[i*t.ldc+j:]
	for l, s := range acc {
		if t.add {
			s += c[l]
		}
		c[l] = s
	}
}
