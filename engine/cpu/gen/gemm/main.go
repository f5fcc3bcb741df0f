// Command gemm writes the convolution kernels in assembly, for AVX2 and for
// AVX-512, and with -bf16 those for its BF16. What each of them computes stands
// beside its Go version.
//
// A kernel holds a tile of sums in registers: rows of pixels (or of filter
// gradients) by a few vectors of columns. Its rows are done step by step, and
// each number of rows has an inner loop of its own, so that a matrix of any
// height costs what its rows cost.
package main

import (
	"flag"
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

const maxVectors = 3

func main() {
	pairs := flag.Bool("bf16", false, "write the kernels for AVX-512 BF16")
	flag.Parse()
	ConstraintExpr("amd64")
	if *pairs {
		bf16()
		Generate()
		return
	}
	tail := GLOBL("gemmTail", NOPTR|RODATA)
	on := [2]uint64{math.MaxUint64, 0}
	for i := range 8 {
		DATA(8*i, U64(on[i/4]))
	}
	for _, m := range []machine{
		{name: "AVX2", lanes: 8, gemm: [maxVectors + 1]int{0, 12, 6, 4}, outer: [maxVectors + 1]int{0, 12, 6, 3}, taps: 9, tail: tail},
		{name: "AVX512", lanes: 16, gemm: [maxVectors + 1]int{0, 28, 14, 9}, outer: [maxVectors + 1]int{0, 28, 14, 9}, taps: 9},
	} {
		for v := 1; v <= maxVectors; v++ {
			m.kernel(fmt.Sprintf("gemm%sx%d", m.name, v), v, m.gemm[v]).gemm()
		}
		for v := 1; v <= maxVectors; v++ {
			m.kernel(fmt.Sprintf("outer%sx%d", m.name, v), v, m.outer[v]).outer()
		}
		m.kernel("depthwise"+m.name, 1, m.taps).depthwise()
		m.kernel("taps"+m.name, 1, m.taps).taps()
	}
	Generate()
}

// The fields of package cpu's tile and outer, in order, as byte offsets.
const (
	tileA, tileB, tileC, tileZ, tileBias           = 0, 24, 48, 72, 96
	tileRows, tileCols, tileStep                   = 120, 128, 136
	tileLDA, tileLDC, tileSeg, tileSegs, tileStrid = 144, 152, 160, 168, 176
	tileTaps, tileAhead, tileLo, tileHi            = 184, 208, 232, 236

	outerA, outerB, outerC                   = 0, 24, 48
	outerRows, outerCols, outerStep          = 72, 80, 88
	outerLDA, outerLDB, outerSegA, outerSegB = 96, 104, 112, 120
	outerSeg, outerSegs, outerLDC, outerTap  = 128, 136, 144, 152
	outerAdd                                 = 160
)

// gemm writes gemmGeneric's loop.
func (k *kernel) gemm() {
	k.start(
		"for i < rows, j < cols:",
		"  s = bias[j] + Σ over g < segs, k < seg of a[i·lda + g·segStride + k] · b[(g·seg+k)·n + j], n = vectors·lanes",
		"  c[i·ldc+j] = min(max(s + z[i·ldc+j], lo), hi)",
	)
	k.keep(k.a, tileA, "a")
	k.keep(k.c, tileC, "c")
	k.keep(k.z, tileZ, "z")
	k.keep(k.z, tileBias, "bias")
	k.keep(k.n, tileRows, "rows")
	k.load(tileSeg, k.n)
	k.load(tileStrid, k.s3)
	SUBQ(k.n, k.s3)
	SHLQ(U8(2), k.s3)
	MOVQ(k.s3, k.local("skip")) // from a segment's end to the next one's start
	k.mask(tileCols)

	k.tiles(tileStep, func() {
		k.fetch()
		k.bias()
		k.strides(tileLDA)
		k.bases()
		k.load(tileB, k.b)
		k.load(tileSegs, k.segs)
	}, func(rows int) {
		k.segments(rows, func() { k.load(tileSeg, k.n) }, func() {
			for v := range k.vectors {
				k.m.move(Mem{Base: k.b, Disp: v * k.m.bytes()}, k.factor(v))
			}
			ADDQ(U8(k.vectors*k.m.bytes()/2), k.b)
			ADDQ(U8(k.vectors*k.m.bytes()/2), k.b)
			for i := range rows {
				k.multiply(i, k.row(i))
			}
			for i := 0; i < rows; i += perBase {
				ADDQ(U8(4), k.base[i/perBase])
			}
		}, func() {
			for i := 0; i < rows; i += perBase {
				ADDQ(k.local("skip"), k.base[i/perBase])
			}
		})
	}, func() { k.epilogue(tileLDA) })
	k.end()
}

// depthwise writes depthwiseGeneric's loop, a vector of columns after the other.
func (k *kernel) depthwise() {
	k.start(
		"for j < cols, i < rows:",
		"  s = bias[j] + Σ over t in taps of a[t.a + i·lda + j] · b[t.b + j]",
		"  c[i·ldc+j] = min(max(s + z[i·ldc+j], lo), hi)",
	)
	k.eachColumn(tileCols, []operand{{"a", tileA}, {"b", tileB}, {"c", tileC}, {"z", tileZ}, {"bias", tileBias}}, func() {
		k.keep(k.n, tileRows, "rows")
		from, factors, at := k.base[1], k.base[2], k.base[3]
		k.tiles(tileStep, func() {
			k.bias()
			k.strides(tileLDA)
			MOVQ(k.local("a"), from)
			MOVQ(k.local("b"), factors)
			k.load(tileTaps+8, k.n)
			TESTQ(k.n, k.n)
			JZ(LabelRef("finish"))
		}, func(rows int) {
			ahead := fmt.Sprint("ahead", rows)
			k.load(tileAhead, k.b)
			k.load(tileAhead+8, k.n)
			Label(ahead)
			MOVQ(Mem{Base: k.b}, at)
			ADDQ(U8(8), k.b)
			LEAQ(Mem{Base: from, Index: at, Scale: 4}, k.base[0])
			for i := range rows {
				PREFETCHT0(k.row(i))
			}
			DECQ(k.n)
			JNZ(LabelRef(ahead))
			k.load(tileTaps, k.b)
			k.load(tileTaps+8, k.n)
			tap := fmt.Sprint("tap", rows)
			Label(tap)
			MOVQ(Mem{Base: k.b}, at)
			LEAQ(Mem{Base: from, Index: at, Scale: 4}, k.base[0])
			MOVQ(Mem{Base: k.b, Disp: 8}, at)
			ADDQ(U8(16), k.b)
			k.m.load(Mem{Base: factors, Index: at, Scale: 4}, k.factor(0))
			for i := range rows {
				k.m.multiply(k.row(i), k.factor(0), k.sum(i, 0), k.broadcast(i))
			}
			DECQ(k.n)
			JNZ(LabelRef(tap))
		}, func() { k.epilogue(tileLDA) })
	})
	k.end()
}

// outer writes outerGeneric's loop.
func (k *kernel) outer() {
	k.start(
		"for i < rows, j < cols:",
		"  c[i·ldc+j] (+)= Σ over g < segs, m < seg of a[g·segA + m·lda + i] · b[g·segB + m·ldb + j]",
	)
	k.keep(k.a, outerA, "a")
	k.keep(k.c, outerC, "c")
	k.keep(k.n, outerRows, "rows")
	k.mask(outerCols)
	k.tiles(outerStep, k.pixels, func(rows int) {
		k.segments(rows, func() {
			k.load(outerSeg, k.n)
			k.next("segA", outerSegA, k.a)
			k.next("segB", outerSegB, k.b)
		}, func() {
			for v := range k.vectors {
				b := Mem{Base: k.b, Disp: v * k.m.bytes()}
				if v < k.vectors-1 {
					k.m.move(b, k.factor(v))
				} else {
					k.m.load(b, k.factor(v))
				}
			}
			ADDQ(k.s3, k.b)
			for i := range rows {
				k.multiply(i, Mem{Base: k.a, Disp: 4 * i})
			}
			ADDQ(k.s1, k.a)
		}, func() {})
	}, func() { k.sums("a", func() {}) })
	k.end()
}

// taps writes tapsGeneric's loop, a vector of columns after the other.
func (k *kernel) taps() {
	k.start(
		"for j < cols, i < rows:",
		"  c[i·ldc+j] += Σ over g < segs, m < seg of a[g·segA + m·lda + j] · b[g·segB + m·ldb + i·tap + j]",
	)
	k.eachColumn(outerCols, []operand{{"a", outerA}, {"b", outerB}, {"c", outerC}}, func() {
		k.keep(k.n, outerRows, "rows")
		k.tiles(outerStep, func() {
			k.strides(outerTap)
			MOVQ(k.local("b"), k.base[0])
			MOVQ(k.base[0], k.local("segB"))
			MOVQ(k.local("a"), k.b)
			MOVQ(k.b, k.local("segA"))
			k.load(outerLDA, k.base[1])
			k.load(outerLDB, k.base[2])
			SHLQ(U8(2), k.base[1])
			SHLQ(U8(2), k.base[2])
			k.zero()
			k.load(outerSegs, k.segs)
		}, func(rows int) {
			k.segments(rows, func() {
				k.load(outerSeg, k.n)
				k.next("segB", outerSegB, k.base[0])
				k.next("segA", outerSegA, k.b)
			}, func() {
				k.m.load(Mem{Base: k.b}, k.factor(0))
				PREFETCHT0(Mem{Base: k.b, Index: k.base[1], Scale: 8})
				PREFETCHT0(Mem{Base: k.base[0], Index: k.base[2], Scale: 8})
				ADDQ(k.base[1], k.b)
				for i := range rows {
					k.m.multiply(k.row(i), k.factor(0), k.sum(i, 0), k.broadcast(i))
				}
				ADDQ(k.base[2], k.base[0])
			}, func() {})
		}, func() {
			k.sums("b", func() {
				k.load(outerTap, k.s1)
				IMULQ(k.s1, k.n)
			})
		})
	})
	k.end()
}
