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
		{name: "AVX2", lanes: 8, gemm: [maxVectors + 1]int{0, 12, 6, 4}, outer: [maxVectors + 1]int{0, 12, 6, 3}, pixels: 12, tail: tail},
		{name: "AVX512", lanes: 16, gemm: [maxVectors + 1]int{0, 28, 14, 9}, outer: [maxVectors + 1]int{0, 28, 14, 9}, pixels: 14},
	} {
		for v := 1; v <= maxVectors; v++ {
			m.kernel(fmt.Sprintf("gemm%sx%d", m.name, v), v, m.gemm[v]).gemm()
		}
		for v := 1; v <= maxVectors; v++ {
			m.kernel(fmt.Sprintf("outer%sx%d", m.name, v), v, m.outer[v]).outer()
		}
		m.kernel("walk"+m.name, 1, m.pixels).walk(writes)
		if m.lanes == 16 { // AVX2 has no registers left
			m.kernel("walkMoments"+m.name, 1, m.pixels).walk(moments)
			m.kernel("walkGradients"+m.name, 1, m.pixels).walk(gradients)
			m.kernel("walkInput"+m.name, 1, m.pixels).walk(input)
		}
		m.kernel("products"+m.name, 1, tapsMost).products()
	}
	Generate()
}

// The fields of package cpu's tile and outer, in order, as byte offsets.
const (
	tileA, tileB, tileC, tileZ, tileBias           = 0, 24, 48, 72, 96
	tileRows, tileCols, tileStep                   = 120, 128, 136
	tileLDA, tileLDC, tileSeg, tileSegs, tileStrid = 144, 152, 160, 168, 176
	tileLo, tileHi, tileNext, tileNextStep         = 184, 188, 192, 216
	tileAheadA, tileStepA                          = 224, 232

	outerA, outerB, outerC                   = 0, 24, 48
	outerRows, outerCols, outerStep          = 72, 80, 88
	outerLDA, outerLDB, outerSegA, outerSegB = 96, 104, 112, 120
	outerSeg, outerSegs, outerLDC, outerAdd  = 128, 136, 144, 152
	outerAheadA, outerAheadB                 = 160, 168
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
	next, nextStep := k.base[2], k.base[3]
	looksAhead := k.rows <= 2*perBase // it has registers left
	if looksAhead {
		k.load(tileNext, next)
		k.load(tileB, k.b)
		TESTQ(next, next)
		CMOVQEQ(k.b, next)
		MOVQ(next, k.local("ahead"))
	}

	k.tiles(tileStep, func() {
		k.fetch()
		k.bias()
		k.strides(tileLDA)
		k.bases()
		k.load(tileB, k.b)
		k.load(tileAheadA, k.rowsAhead)
		ADDQ(k.base[0], k.rowsAhead)
		if looksAhead {
			MOVQ(k.local("ahead"), next)
			k.load(tileNextStep, nextStep)
		}
		k.load(tileSegs, k.segs)
	}, func(rows int) {
		k.segments(rows, func() { k.load(tileSeg, k.n) }, func() {
			for v := range k.vectors {
				k.m.move(Mem{Base: k.b, Disp: v * k.m.bytes()}, k.factor(v))
			}
			ADDQ(U8(k.vectors*k.m.bytes()/2), k.b)
			ADDQ(U8(k.vectors*k.m.bytes()/2), k.b)
			if looksAhead {
				PREFETCHT1(Mem{Base: next})
				ADDQ(nextStep, next)
			}
			for at := 0; at < 4*rows; at += 64 {
				PREFETCHT0(Mem{Base: k.rowsAhead, Disp: at})
			}
			ADDQ(Mem{Base: k.t, Disp: tileStepA}, k.rowsAhead)
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
	}, func() {
		if looksAhead {
			MOVQ(next, k.local("ahead"))
		}
		k.epilogue(tileLDA)
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
			for v := range k.vectors {
				PREFETCHT1(Mem{Base: k.b, Index: k.aheadB, Scale: 1, Disp: v * k.m.bytes()})
			}
			for at := 0; at < 4*rows; at += 64 {
				PREFETCHT1(Mem{Base: k.a, Index: k.aheadA, Scale: 1, Disp: at})
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
