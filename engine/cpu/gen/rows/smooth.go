package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func sigmoid(v *vector) { v.store("y", v.sigmoid(v.load("x"))) }

func silu(v *vector) {
	x := v.load("x")
	y := v.sigmoid(x)
	VMULPS(x, y, y)
	v.store("y", y)
}

func siluBack(v *vector)    { v.store("dx", v.siluGradient()) }
func siluBackAdd(v *vector) { v.accumulate("dx", v.siluGradient()) }

// siluGradient is dy·s·(1 + x·(1−s)) with s = sigmoid(x).
func (v *vector) siluGradient() reg.VecVirtual {
	x, slope := v.load("x"), v.constant("one", 1)
	s := v.sigmoid(x)
	VSUBPS(s, slope, slope)
	VFMADD213PS(v.constant("one", 1), x, slope)
	VMULPS(s, slope, slope)
	VMULPS(v.load("dy"), slope, slope)
	return slope
}

// hardSwish is x·min(max(x+3, 0), 6)/6; the sum stands where MAXPS and MINPS
// keep a NaN.
func hardSwish(v *vector) {
	x, y := v.load("x"), v.constant("three", 3)
	VADDPS(x, y, y)
	VMAXPS(y, v.constant("zero", 0), y)
	VMINPS(y, v.constant("six", 6), y)
	VMULPS(x, y, y)
	VMULPS(v.constant("sixth", 1./6), y, y)
	v.store("y", y)
}

// sigmoid is 1/(1 + e^−x).
func (v *vector) sigmoid(x reg.VecVirtual) reg.VecVirtual {
	e := v.constant("zero", 0)
	VSUBPS(x, e, e)
	v.exp(e)
	s := v.constant("one", 1)
	VADDPS(s, e, e)
	VDIVPS(e, s, s)
	return s
}

// exp makes x into e^x, x cut off at ±88: with n = round(x/ln 2), ln 2 in two
// parts, and r = x − n·ln 2 it is 2^n times Cephes' polynomial
// 1 + r + r²·(c₅ + … + c₀·r⁵), 2 units in the last place off at most.
func (v *vector) exp(x reg.VecVirtual) {
	VMAXPS(x, v.constant("low", -87), x)
	VMINPS(x, v.constant("high", 88), x)
	n := v.constant("log2e", math.Log2E)
	VMULPS(x, n, n)
	const nearest = 8 // and no exception
	if v.lanes == 8 {
		VROUNDPS(operand.U8(nearest), n, n)
	} else {
		VRNDSCALEPS(operand.U8(nearest), n, n)
	}
	VFNMADD231PS(v.constant("ln2high", 0.693359375), n, x)
	VFNMADD231PS(v.constant("ln2low", -2.12194440e-4), n, x)

	p := v.constant("c0", 1.9875691500e-4)
	for i, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		VFMADD213PS(v.constant("c"+string(rune('1'+i)), c), x, p)
	}
	square := v.new()
	VMULPS(x, x, square)
	VFMADD213PS(x, square, p)
	VADDPS(v.constant("one", 1), p, p)

	VCVTPS2DQ(n, n)
	VPSLLD(operand.U8(23), n, n) // added to the exponent of 1
	VPADDD(v.constant("one", 1), n, n)
	VMULPS(n, p, x)
}

var constants = map[string]operand.Mem{}

// constant is a register with value in every lane.
func (v *vector) constant(name string, value float32) reg.VecVirtual {
	at, ok := constants[name]
	if !ok {
		at = ConstData("rows_"+name, operand.U32(math.Float32bits(value)))
		constants[name] = at
	}
	x := v.new()
	VBROADCASTSS(at, x)
	return x
}
