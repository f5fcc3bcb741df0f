package cpu

import "math"

// Two bfloat16 lie in the place of one float32, the first in its lower half: so
// the kernels of float32 and those of bfloat16 walk through memory alike, and a
// correlation of pairs is one of half as many channels.

// pairs makes pairs of bfloat16.
type pairs struct {
	narrow func(dst, src []float32, pixels, depth, apart int)       // of neighbours; see narrowGeneric
	join   func(dst, lo, hi []float32)                              // of two rows; see joinGeneric
	turn   func(dst, src []float32, width, stride, cols, depth int) // of neighbours, as columns; see turnGeneric
}

// genericBF16Conv computes what avx512BF16Conv does, bit for bit.
var genericBF16Conv = convKernels{
	lanes: genericLanes,

	rows: genericConv.rows,
	gemm: [maxVectors + 1]func(*tile){nil, gemmBF16Generic, gemmBF16Generic, gemmBF16Generic},

	outerRows: genericConv.outerRows,
	outer:     [maxVectors + 1]func(*outer){nil, outerBF16Generic, outerBF16Generic, outerBF16Generic},

	pairs: &pairs{narrowGeneric, joinGeneric, turnGeneric},
	exact: &genericConv,
}

// fewestPaired channels are worth making pairs of: those of an image are not.
const fewestPaired = 8

// worthJoining says that a filter's gradient of so many rows and columns takes
// longer than making the pairs it is computed from.
func worthJoining(rows, cols int) bool { return rows*cols >= 16*(rows+cols) }

// bfloat16 rounds to the nearest, ties to even, and what is denormal to zero.
func bfloat16(x float32) uint32 {
	switch u := math.Float32bits(x); {
	case u&0x7f800000 == 0:
		return u >> 31 << 15
	case x != x:
		return u>>16 | 1<<6
	default:
		return (u + 0x7fff + u>>16&1) >> 16
	}
}

// narrowGeneric makes pairs of neighbouring channels of pixels that lie apart, an
// odd last one beside zero. With n = ⌈depth/2⌉:
//
//	for i < pixels, k < n: dst[i·n+k] = (src[i·apart+2k], src[i·apart+2k+1])
func narrowGeneric(dst, src []float32, pixels, depth, apart int) {
	for i := range pixels {
		x := src[i*apart:][:depth]
		for len(x) > 1 {
			dst[0] = math.Float32frombits(bfloat16(x[0]) | bfloat16(x[1])<<16)
			dst, x = dst[1:], x[2:]
		}
		if len(x) > 0 {
			dst[0] = math.Float32frombits(bfloat16(x[0]))
			dst = dst[1:]
		}
	}
}

// joinGeneric makes pairs of two rows' elements, of an element and zero where the
// second row is empty:
//
//	for i < len(lo): dst[i] = (lo[i], hi[i])
func joinGeneric(dst, lo, hi []float32) {
	for i, x := range lo {
		pair := bfloat16(x)
		if len(hi) > 0 {
			pair |= bfloat16(hi[i]) << 16
		}
		dst[i] = math.Float32frombits(pair)
	}
}

// turnGeneric makes columns of pairs of neighbours, as many as there are lanes:
//
//	for i < ⌈depth/2⌉, j < lanes:
//	  dst[i·width+j] = (src[j·stride+2i], src[j·stride+2i+1]), zero beyond depth and from cols on
func turnGeneric(dst, src []float32, width, stride, cols, depth int) {
	for j := range genericLanes {
		for i := range ceil(depth, 2) {
			pair := uint32(0)
			if j < cols {
				pair = bfloat16(src[j*stride+2*i])
			}
			if j < cols && 2*i+1 < depth {
				pair |= bfloat16(src[j*stride+2*i+1]) << 16
			}
			dst[i*width+j] = math.Float32frombits(pair)
		}
	}
}

// dot adds the products of two pairs to a sum: those of the second elements, then
// those of the first, each rounded once, and what is denormal is zero. That is
// what VDPBF16PS computes.
func dot(sum, a, b float32) float32 {
	x, y := math.Float32bits(a), math.Float32bits(b)
	second := flush(float32(product(x&0xffff0000, y&0xffff0000) + float64(flush(sum))))
	return flush(float32(product(x<<16, y<<16) + float64(second)))
}

// product is exact.
func product(x, y uint32) float64 {
	return float64(math.Float32frombits(x)) * float64(math.Float32frombits(y))
}

func flush(x float32) float32 {
	if u := math.Float32bits(x); u&0x7f800000 == 0 {
		return math.Float32frombits(u & (1 << 31))
	}
	return x
}

// gemmBF16Generic is gemmGeneric's loop over pairs, starting with the bias:
//
//	for i < rows, j < cols:
//	  s = bias[j], then dot(s, a[i·lda + g·segStride + k], b[(g·seg+k)·n + j]) for g < segs, k < seg
//	  c[i·ldc+j] = min(max(s + z[i·ldc+j], lo), hi)
func gemmBF16Generic(t *tile) {
	n := (t.cols + genericLanes - 1) / genericLanes * genericLanes
	rest := *t
	rest.bias = nil
	for i := range t.rows {
		for j := 0; j < t.cols; j += genericLanes {
			var acc [genericLanes]float32
			if t.bias != nil {
				copy(acc[:], t.bias[j:t.cols])
			}
			for g := range t.segs {
				for k := range t.seg {
					a := t.a[i*t.lda+g*t.segStride+k]
					for l, b := range t.b[(g*t.seg+k)*n+j:][:genericLanes] {
						acc[l] = dot(acc[l], a, b)
					}
				}
			}
			rest.store(acc[:min(genericLanes, t.cols-j)], i, j)
		}
	}
}

// outerBF16Generic is outerGeneric's loop over pairs of pixels, each product dot's.
func outerBF16Generic(t *outer) {
	for i := range t.rows {
		for j := 0; j < t.cols; j += genericLanes {
			var acc [genericLanes]float32
			n := min(genericLanes, t.cols-j)
			for g := range t.segs {
				for m := range t.seg {
					a := t.a[g*t.segA+m*t.lda+i]
					for l, b := range t.b[g*t.segB+m*t.ldb+j:][:n] {
						acc[l] = dot(acc[l], a, b)
					}
				}
			}
			t.store(acc[:n], i, j)
		}
	}
}

// narrow makes pairs of the channels of pixels, step pixels apart.
func (g *correlation) narrow(dst, in []float32, pixels, step int) {
	if apart := step * g.in.pixel; apart == 2*g.c {
		g.pairs.narrow(dst, in, 1, pixels*apart, 0)
	} else {
		g.pairs.narrow(dst, in, pixels, g.depth, apart)
	}
}

// packPairs is packRows for rows of pairs, from the c-th of a tap on.
func (p *part) packPairs(b, w []float32, from, c, width, cols int) {
	f := p.filter
	if f.j == 1 {
		for ; len(b) > 0; b, c = b[width:], c+1 {
			lo := w[from+2*c*f.c:][:cols]
			var hi []float32
			if 2*c+1 < p.depth {
				hi = w[from+(2*c+1)*f.c:][:cols]
			}
			p.pairs.join(b[:cols], lo, hi)
			clear(b[cols:width])
		}
		return
	}
	depth := min(2*(len(b)/width), p.depth-2*c)
	for j := 0; j < width; j += p.kernels.lanes {
		p.pairs.turn(b[j:], w[from+min(j, cols-1)*f.j+2*c:], width, f.j, cols-j, depth)
	}
}
