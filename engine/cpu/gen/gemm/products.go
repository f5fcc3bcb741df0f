package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tapsMost is how many taps' sums and addresses the filter's gradient has in registers.
const tapsMost = 9

// products writes productsGeneric's loop.
func (k *kernel) products() {
	k.start(
		"for v < vectors, r in rects, t in r.taps, l < lanes, where there is such a channel, j = v·lanes + l:",
		"  c[v·size + t.b + l] += Σ over y < r.rows, x < r.cols of",
		"    a[from + r.a + y·rowA + x·pixelA + t.a + j] · b[to + r.b + y·rowB + x·pixelB + j]",
	)
	taps := [tapsMost]GPPhysical{RAX, RBX, RDX, RSI, R8, R9, R10, R11, R12}
	a, b, left, aheadA, aheadB := RDI, R13, RCX, R14, R15
	k.keep(b, productsC, "c")
	k.keep(b, productsVectors, "vectors")
	for _, f := range []struct {
		field int
		name  string
	}{{productsRowA, "rowA"}, {productsRowB, "rowB"}, {productsPixelA, "pixelA"}, {productsPixelB, "pixelB"}, {productsSize, "size"}} {
		k.keepBytes(b, f.field, f.name)
	}
	k.load(productsFrom, left)
	k.keepAt(b, left, productsA, "a")
	k.load(productsTo, left)
	k.keepAt(b, left, productsB, "b")

	Label("vector")
	MOVQ(NewParamAddr("t", 0), k.t)
	MOVQ(U32(uint32(k.m.lanes)), RCX)
	MOVQ(RCX, aheadA)
	MOVQ(RCX, aheadB)
	CMPQ(k.local("vectors"), U8(1))
	JNE(LabelRef("whole"))
	k.load(productsLast, RCX)
	k.load(productsNextA, aheadA)
	k.load(productsNextB, aheadB)
	Label("whole")
	SHLQ(U8(2), aheadA)
	MOVQ(aheadA, k.local("aheadA"))
	k.m.mask(RCX, RAX, k.local("mask"))
	k.keep(b, productsRects, "rect")
	k.keep(b, productsRects+8, "rects")

	Label("rect")
	MOVQ(NewParamAddr("t", 0), k.t)
	MOVQ(k.local("rect"), b)
	for _, f := range []struct {
		field int
		name  string
	}{{rectRows, "rows"}, {rectCols, "cols"}} {
		MOVQ(Mem{Base: b, Disp: f.field}, left)
		MOVQ(left, k.local(f.name))
	}
	for _, f := range []struct {
		field    int
		name, of string
	}{{rectA, "a", "rowsA"}, {rectB, "b", "rowsB"}} {
		MOVQ(Mem{Base: b, Disp: f.field}, left)
		SHLQ(U8(2), left)
		ADDQ(k.local(f.name), left)
		MOVQ(left, k.local(f.of))
	}
	MOVQ(Mem{Base: b, Disp: rectTaps + 8}, left)
	MOVQ(Mem{Base: b, Disp: rectTaps}, b)
	k.step = left
	k.dispatch("taps", 1, tapsMost)
	for n := tapsMost; n >= 1; n-- {
		label := func(s string) string { return fmt.Sprint(s, n) }
		Label(label("taps"))
		for i := range n {
			MOVQ(Mem{Base: b, Disp: 16 * i}, taps[i])
			k.m.zero(k.sum(i, 0))
		}
		rows := func(name string, ahead ...int) {
			each(label(name+"row"), k.local("rows"), func() {
				MOVQ(k.local("rowsA"), a)
				MOVQ(k.local("aheadA"), aheadA)
				ADDQ(a, aheadA)
				MOVQ(k.local("rowsB"), b)
				MOVQ(k.local("cols"), left)
				each(label(name+"column"), left, func() {
					k.m.load(Mem{Base: b}, k.factor(0))
					PREFETCHT0(Mem{Base: b, Index: aheadB, Scale: 4})
					for _, i := range ahead {
						PREFETCHT0(Mem{Base: aheadA, Index: taps[i], Scale: 4})
					}
					ADDQ(k.local("pixelB"), b)
					for i := range n {
						k.m.multiply(Mem{Base: a, Index: taps[i], Scale: 4}, k.factor(0), k.sum(i, 0), k.broadcast(i))
					}
					ADDQ(k.local("pixelA"), a)
					ADDQ(k.local("pixelA"), aheadA)
				})
				MOVQ(k.local("rowA"), a)
				MOVQ(k.local("rowB"), b)
				ADDQ(a, k.local("rowsA"))
				ADDQ(b, k.local("rowsB"))
			})
		}
		if n == tapsMost { // of 3×3 taps with stride 2, four are of pixels that no other reads but those beside
			CMPB(Mem{Base: k.t, Disp: productsStrided}, U8(0))
			JEQ(LabelRef("dense"))
			rows("strided_", 4, 5, 7, 8)
			JMP(LabelRef("summed"))
			Label("dense")
		}
		rows("", n-1)
		if n == tapsMost {
			Label("summed")
		}
		MOVQ(k.local("rect"), a)
		MOVQ(Mem{Base: a, Disp: rectTaps}, a)
		MOVQ(k.local("c"), b)
		for i := range n {
			MOVQ(Mem{Base: a, Disp: 16*i + 8}, left)
			to := Mem{Base: b, Index: left, Scale: 4}
			VADDPS(to, k.sum(i, 0), k.sum(i, 0))
			VMOVUPS(k.sum(i, 0), to)
		}
		if n > 1 {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	ADDQ(U8(rectBytes), k.local("rect"))
	DECQ(k.local("rects"))
	JNZ(LabelRef("rect"))
	ADDQ(U8(k.m.bytes()), k.local("a"))
	ADDQ(U8(k.m.bytes()), k.local("b"))
	MOVQ(k.local("size"), left)
	ADDQ(left, k.local("c"))
	DECQ(k.local("vectors"))
	JNZ(LabelRef("vector"))
	k.end()
}
