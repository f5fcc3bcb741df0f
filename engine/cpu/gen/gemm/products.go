package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// tapsMost is how many taps' sums and addresses the filter's gradient has in registers.
const tapsMost = 9

// A producer writes the products' loops: over vectors of channels, rectangles of pixels,
// and in those rows and columns for as many taps as there are.
type producer struct {
	*kernel
	taps                       [tapsMost]GPPhysical
	a, b, left, aheadA, aheadB GPPhysical
}

// products writes productsGeneric's loop.
func (k *kernel) products() {
	k.start(
		"for v < vectors, r in rects, t in r.taps, l < lanes, where there is such a channel, j = v·lanes + l:",
		"  c[v·size + t.b + l] += Σ over y < r.rows, x < r.cols of",
		"    a[from + r.a + y·rowA + x·pixelA + t.a + j] · b[to + r.b + y·rowB + x·pixelB + j]",
	)
	o := &producer{kernel: k, taps: [tapsMost]GPPhysical{RAX, RBX, RDX, RSI, R8, R9, R10, R11, R12}, a: RDI, b: R13, left: RCX, aheadA: R14, aheadB: R15}
	o.fields()
	Label("vector")
	o.vector()
	Label("rect")
	o.rect()
	o.dispatch("taps", 1, tapsMost)
	for n := tapsMost; n >= 1; n-- {
		Label(fmt.Sprint("taps", n))
		o.sums(n)
		if n > 1 {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	o.advance()
	k.end()
}

// fields keeps what the loops advance.
func (o *producer) fields() {
	o.keep(o.b, productsC, "c")
	o.keep(o.b, productsVectors, "vectors")
	for _, f := range []struct {
		field int
		name  string
	}{{productsRowA, "rowA"}, {productsRowB, "rowB"}, {productsPixelA, "pixelA"}, {productsPixelB, "pixelB"}, {productsSize, "size"}} {
		o.keepBytes(o.b, f.field, f.name)
	}
	o.load(productsFrom, o.left)
	o.keepAt(o.b, o.left, productsA, "a")
	o.load(productsTo, o.left)
	o.keepAt(o.b, o.left, productsB, "b")
}

// vector begins a vector of channels.
func (o *producer) vector() {
	MOVQ(NewParamAddr("t", 0), o.t)
	MOVQ(U32(uint32(o.m.lanes)), RCX)
	MOVQ(RCX, o.aheadA)
	MOVQ(RCX, o.aheadB)
	CMPQ(o.local("vectors"), U8(1))
	JNE(LabelRef("whole"))
	o.load(productsLast, RCX)
	o.load(productsNextA, o.aheadA)
	o.load(productsNextB, o.aheadB)
	Label("whole")
	SHLQ(U8(2), o.aheadA)
	MOVQ(o.aheadA, o.local("aheadA"))
	o.m.mask(RCX, RAX, o.local("mask"))
	o.keep(o.b, productsRects, "rect")
	o.keep(o.b, productsRects+8, "rects")
}

// rect begins a rectangle.
func (o *producer) rect() {
	MOVQ(NewParamAddr("t", 0), o.t)
	MOVQ(o.local("rect"), o.b)
	for _, f := range []struct {
		field int
		name  string
	}{{rectRows, "rows"}, {rectCols, "cols"}} {
		MOVQ(Mem{Base: o.b, Disp: f.field}, o.left)
		MOVQ(o.left, o.local(f.name))
	}
	for _, f := range []struct {
		field    int
		name, of string
	}{{rectA, "a", "rowsA"}, {rectB, "b", "rowsB"}} {
		MOVQ(Mem{Base: o.b, Disp: f.field}, o.left)
		SHLQ(U8(2), o.left)
		ADDQ(o.local(f.name), o.left)
		MOVQ(o.left, o.local(f.of))
	}
	MOVQ(Mem{Base: o.b, Disp: rectTaps + 8}, o.left)
	MOVQ(Mem{Base: o.b, Disp: rectTaps}, o.b)
	o.step = o.left
}

// sums adds a rectangle's products to the gradients of its n taps.
func (o *producer) sums(n int) {
	for i := range n {
		MOVQ(Mem{Base: o.b, Disp: 16 * i}, o.taps[i])
		o.m.zero(o.sum(i, 0))
	}
	if n == tapsMost { // of 3×3 taps with stride 2, four are of pixels that no other reads but those beside
		CMPB(Mem{Base: o.t, Disp: productsStrided}, U8(0))
		JEQ(LabelRef("dense"))
		o.pixels("strided_", n, 4, 5, 7, 8)
		JMP(LabelRef("summed"))
		Label("dense")
	}
	o.pixels("", n, n-1)
	if n == tapsMost {
		Label("summed")
	}
	MOVQ(o.local("rect"), o.a)
	MOVQ(Mem{Base: o.a, Disp: rectTaps}, o.a)
	MOVQ(o.local("c"), o.b)
	for i := range n {
		MOVQ(Mem{Base: o.a, Disp: 16*i + 8}, o.left)
		to := Mem{Base: o.b, Index: o.left, Scale: 4}
		VADDPS(to, o.sum(i, 0), o.sum(i, 0))
		VMOVUPS(o.sum(i, 0), to)
	}
}

// pixels multiplies a rectangle's pixels, those of n taps by one, and fetches those of
// the taps ahead for the next vector.
func (o *producer) pixels(name string, n int, ahead ...int) {
	each(fmt.Sprint(name, "row", n), o.local("rows"), func() {
		MOVQ(o.local("rowsA"), o.a)
		MOVQ(o.local("aheadA"), o.aheadA)
		ADDQ(o.a, o.aheadA)
		MOVQ(o.local("rowsB"), o.b)
		MOVQ(o.local("cols"), o.left)
		each(fmt.Sprint(name, "column", n), o.left, func() {
			o.m.load(Mem{Base: o.b}, o.factor(0))
			PREFETCHT0(Mem{Base: o.b, Index: o.aheadB, Scale: 4})
			for _, i := range ahead {
				PREFETCHT0(Mem{Base: o.aheadA, Index: o.taps[i], Scale: 4})
			}
			ADDQ(o.local("pixelB"), o.b)
			for i := range n {
				o.m.multiply(Mem{Base: o.a, Index: o.taps[i], Scale: 4}, o.factor(0), o.sum(i, 0), o.broadcast(i))
			}
			ADDQ(o.local("pixelA"), o.a)
			ADDQ(o.local("pixelA"), o.aheadA)
		})
		MOVQ(o.local("rowA"), o.a)
		MOVQ(o.local("rowB"), o.b)
		ADDQ(o.a, o.local("rowsA"))
		ADDQ(o.b, o.local("rowsB"))
	})
}

// advance goes to the next rectangle or vector.
func (o *producer) advance() {
	ADDQ(U8(rectBytes), o.local("rect"))
	DECQ(o.local("rects"))
	JNZ(LabelRef("rect"))
	ADDQ(U8(o.m.bytes()), o.local("a"))
	ADDQ(U8(o.m.bytes()), o.local("b"))
	MOVQ(o.local("size"), o.left)
	ADDQ(o.left, o.local("c"))
	DECQ(o.local("vectors"))
	JNZ(LabelRef("vector"))
}
