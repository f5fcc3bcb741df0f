package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A machine is an instruction set: how many rows its tiles have, by vectors, and
// how it keeps the lanes after the last column out: AVX-512 by an opmask, AVX2 by
// a mask in its last vector register.
type machine struct {
	name        string
	lanes       int
	gemm, outer [maxVectors + 1]int
	pixels      int // of a depthwise tile
	tail        Mem // AVX2: eight lanes on, then eight off
}

var (
	ymm    = [...]VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
	zmm    = [...]VecPhysical{Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31}
	tailOn = Y15
)

func (m machine) bytes() int { return 4 * m.lanes }

func (m machine) registers() int {
	if m.lanes == 8 {
		return len(ymm)
	}
	return len(zmm) + 1 // the mask takes none
}

func (m machine) vec(i int) VecPhysical {
	if m.lanes == 8 {
		return ymm[i]
	}
	return zmm[i]
}

func (m machine) zero(v VecPhysical) {
	if m.lanes == 8 {
		VXORPS(v, v, v)
	} else {
		VPXORD(v, v, v)
	}
}

// mask makes the mask for n lanes; AVX2 also keeps its address.
func (m machine) mask(n, tmp GPPhysical, address Mem) {
	if m.lanes == 16 {
		MOVL(U32(1), tmp.As32())
		SHLL(CL, tmp.As32())
		DECL(tmp.As32())
		KMOVW(tmp.As32(), K1)
		return
	}
	LEAQ(m.tail, tmp)
	SHLQ(U8(2), n)
	SUBQ(n, tmp)
	ADDQ(U8(32), tmp)
	MOVQ(tmp, address)
	VMOVUPS(Mem{Base: tmp}, tailOn)
}

// maskAgain reloads the mask where the tile needed its register. It clobbers CX.
func (m machine) maskAgain(address Mem) {
	if m.lanes == 8 {
		MOVQ(address, RCX)
		VMOVUPS(Mem{Base: RCX}, tailOn)
	}
}

func (m machine) move(from Mem, to VecPhysical) { VMOVUPS(from, to) }

// load reads the lanes of the last vector, zeros elsewhere.
func (m machine) load(from Mem, to VecPhysical) {
	if m.lanes == 16 {
		VMOVUPS_Z(from, K1, to)
	} else {
		VMASKMOVPS(from, tailOn, to)
	}
}

func (m machine) store(from VecPhysical, to Mem, last bool) {
	switch {
	case !last:
		VMOVUPS(from, to)
	case m.lanes == 16:
		VMOVUPS(from, K1, to)
	default:
		VMASKMOVPS(from, tailOn, to)
	}
}

func (m machine) add(from Mem, to, tmp VecPhysical, last bool) {
	switch {
	case !last:
		VADDPS(from, to, to)
	case m.lanes == 16:
		VADDPS(from, to, K1, to)
	default:
		VMASKMOVPS(from, tailOn, tmp)
		VADDPS(tmp, to, to)
	}
}

// multiply adds from times factor to a sum, in the lanes of the last vector.
func (m machine) multiply(from Mem, factor, sum, tmp VecPhysical) {
	if m.lanes == 16 {
		VFMADD231PS(from, factor, K1, sum)
		return
	}
	VMASKMOVPS(from, tailOn, tmp)
	VFMADD231PS(tmp, factor, sum)
}
