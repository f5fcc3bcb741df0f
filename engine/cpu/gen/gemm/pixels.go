package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// pixels is a walker's tile of n pixels.
type pixels struct {
	*walker
	n int
}

func (p pixels) label(s string) string { return fmt.Sprint(s, p.n) }

// point has the base registers reach the tile's pixels, a distance away.
func (p pixels) point(further func()) {
	LEAQ(Mem{Base: p.step, Index: p.at, Scale: 4}, p.base[0])
	further()
	if p.n > perBase {
		LEAQ(Mem{Base: p.base[0], Index: p.s1, Scale: 8}, p.base[1])
		ADDQ(p.s1, p.base[1])
	}
}

// begin starts the sums, with what is added to them.
func (p pixels) begin() {
	MOVQ(p.local("from"), p.step)
	for i := 1; i < p.n; i++ {
		VMOVAPS(p.sum(0, 0), p.sum(i, 0))
	}
	TESTQ(p.z, p.z)
	JZ(LabelRef(p.label("bare")))
	MOVQ(p.local("pixelC"), p.at)
	for i := range p.n {
		p.m.add(Mem{Base: p.z}, p.sum(i, 0), p.tmp, true)
		if i < p.n-1 {
			ADDQ(p.at, p.z)
		}
	}
	Label(p.label("bare"))
}

// fetch asks for the pixels of the next vector.
func (p pixels) fetch() {
	MOVQ(Mem{Base: p.taps, Disp: spanAhead + 8}, p.left)
	MOVQ(Mem{Base: p.taps, Disp: spanAhead}, p.b)
	TESTQ(p.left, p.left)
	JZ(LabelRef(p.label("fetched")))
	each(p.label("ahead"), p.left, func() {
		MOVQ(Mem{Base: p.b}, p.at)
		ADDQ(U8(8), p.b)
		p.point(func() { ADDQ(p.local("ahead"), p.base[0]) })
		for i := range p.n {
			PREFETCHT0(p.row(i))
		}
	})
	Label(p.label("fetched"))
}

// multiply adds every tap's products.
func (p pixels) multiply() {
	MOVQ(p.local("b"), p.b)
	MOVQ(Mem{Base: p.taps, Disp: spanTaps + 8}, p.left)
	MOVQ(Mem{Base: p.taps, Disp: spanTaps}, p.taps)
	TESTQ(p.left, p.left)
	JZ(LabelRef(p.label("store")))
	each(p.label("tap"), p.left, func() {
		MOVQ(Mem{Base: p.taps}, p.at)
		p.point(func() {})
		MOVQ(Mem{Base: p.taps, Disp: 8}, p.at)
		ADDQ(U8(16), p.taps)
		p.m.move(Mem{Base: p.b, Index: p.at, Scale: 4}, p.w)
		for i := range p.n {
			p.m.multiply(p.row(i), p.w, p.sum(i, 0), p.tmp)
		}
	})
	Label(p.label("store"))
	MOVQ(U32(uint32(p.n)), p.at)
	IMULQ(p.s1, p.at)
	ADDQ(p.at, p.local("from"))
}

// finish does with the sums what the walk ends in.
func (p pixels) finish() {
	VBROADCASTSS(Mem{Base: p.t, Disp: walkLo}, p.lo)
	VBROADCASTSS(Mem{Base: p.t, Disp: walkHi}, p.hi)
	if !p.of() {
		for i := range p.n {
			// A NaN comes out as a NaN: of two operands, max and min return the first one here.
			VMAXPS(p.sum(i, 0), p.lo, p.sum(i, 0))
			VMINPS(p.sum(i, 0), p.hi, p.sum(i, 0))
		}
	}
	if p.end == moments {
		for i := range p.n {
			VSUBPS(ofMean, p.sum(i, 0), ofD)
			VADDPS(ofD, ofSumG, ofSumG)
			VFMADD231PS(ofD, ofD, ofSumX)
		}
	}
	MOVQ(p.local("pixelC"), p.left)
	if p.of() {
		MOVQ(p.local("aheadX"), p.taps)
		ADDQ(U32(uint32(p.m.bytes()*p.n)), p.local("aheadX"))
	}
	if p.end == gradients {
		p.put(func(i int) {
			VADDPS(p.sum(i, 0), ofSumG, ofSumG)
			VFMADD231PS(p.sum(i, 0), ofD, ofSumX)
		})
		return
	}
	if p.m.lanes == 16 {
		CMPB(Mem{Base: p.t, Disp: walkStream}, U8(0))
		JEQ(LabelRef(p.label("cached")))
		p.put(func(i int) { VMOVNTPS(p.sum(i, 0), Mem{Base: p.c}) })
		JMP(LabelRef("next"))
		Label(p.label("cached"))
	}
	p.put(func(i int) { p.m.store(p.sum(i, 0), Mem{Base: p.c}, true) })
}

// put has store do with each pixel, or its gradient, what is done with it.
func (p pixels) put(store func(i int)) {
	for i := range p.n {
		if p.of() {
			p.gradient(p.sum(i, 0), Mem{Base: p.c, Index: fromC, Scale: 1}, p.lo, p.hi)
			PREFETCHT0(Mem{Base: p.c, Index: fromC, Scale: 1, Disp: p.m.bytes()})
			PREFETCHT1(Mem{Base: p.taps, Disp: p.m.bytes() * i})
		}
		if p.end == input {
			VSUBPS(ofShift, p.sum(i, 0), p.sum(i, 0))
			VFNMADD231PS(ofSlope, ofD, p.sum(i, 0))
			VMULPS(ofScale, p.sum(i, 0), p.sum(i, 0))
		}
		store(i)
		ADDQ(p.left, p.c)
	}
}

// gradient stops g where the activation after a batch norm does, and leaves x - mean in ofD.
func (k *kernel) gradient(g VecPhysical, x Mem, lo, hi VecPhysical) {
	const notLessEqual, notGreaterEqual = 0x16, 0x19 // quiet, true for NaN
	k.m.load(x, ofD)
	VSUBPS(ofMean, ofD, ofD)
	VMOVAPS(ofScale, ofY)
	VFMADD213PS(ofBeta, ofD, ofY)
	VCMPPS(U8(notLessEqual), lo, ofY, K2)
	VCMPPS(U8(notGreaterEqual), hi, ofY, K2, K3)
	VMOVAPS_Z(g, K3, g)
}
