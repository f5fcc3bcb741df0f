package main

import (
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Neither avo nor Go's assembler knows AVX-512 BF16, so its two instructions are
// written as their bytes.

// bf16 writes the kernels for pairs of bfloat16.
func bf16() {
	for v := 1; v <= maxVectors; v++ {
		pairsKernel(fmt.Sprintf("gemmBF16x%d", v), v).gemm()
		pairsKernel(fmt.Sprintf("outerBF16x%d", v), v).outer()
	}
	narrow()
	join()
	turn()
}

// vdpbf16ps adds to each float32 of sum the products of the two bfloat16 that a
// and b have in its place: EVEX.512.F3.0F38.W0 52 /r.
func vdpbf16ps(b, a, sum VecPhysical) { evex("VDPBF16PS", 2, 0x52, b, a, sum) }

// vcvtne2ps2bf16 rounds lo to the lower half of to and hi to its upper half:
// EVEX.512.F2.0F38.W0 72 /r.
func vcvtne2ps2bf16(lo, hi, to VecPhysical) { evex("VCVTNE2PS2BF16", 3, 0x72, lo, hi, to) }

// evex writes an instruction of three 512-bit registers of the map 0F38: rm, the
// one in vvvv and reg, as Go orders them.
func evex(name string, prefix, opcode byte, rm, v, reg VecPhysical) {
	number := func(r VecPhysical) byte { return byte(r.PhysicalIndex()) }
	bit := func(r VecPhysical, i int) byte { return number(r) >> i & 1 }
	bytes := [6]byte{
		0x62,
		(bit(reg, 3)^1)<<7 | (bit(rm, 4)^1)<<6 | (bit(rm, 3)^1)<<5 | (bit(reg, 4)^1)<<4 | 2,
		(number(v)&15^15)<<3 | 4 | prefix,
		2<<5 | (bit(v, 4)^1)<<3,
		opcode,
		3<<6 | number(reg)&7<<3 | number(rm)&7,
	}
	Commentf("%s Z%d, Z%d, Z%d", name, number(rm), number(v), number(reg))
	Instruction(&ir.Instruction{Opcode: "LONG", Operands: []Op{U32(binary.LittleEndian.Uint32(bytes[:]))}})
	Instruction(&ir.Instruction{Opcode: "WORD", Operands: []Op{U16(binary.LittleEndian.Uint16(bytes[4:]))}})
}

// pairsKernel has the tile of AVX-512's float32 kernels.
func pairsKernel(name string, vectors int) *kernel {
	k := machine{lanes: 16}.kernel(name, vectors, [maxVectors + 1]int{0, 28, 14, 9}[vectors])
	k.pairs = true
	return k
}

// narrow writes narrowGeneric's loop.
func narrow() {
	TEXT("narrowBF16", NOSPLIT, "func(dst, src []float32, pixels, depth, apart int)")
	Comment(
		"for i < pixels, k < depth/2:",
		"  dst[i·⌈depth/2⌉ + k] = (bfloat16(src[i·apart+2k]), bfloat16(src[i·apart+2k+1])); an odd last one beside zero",
	)
	Load(Param("dst").Base(), RDI)
	Load(Param("src").Base(), RSI)
	Load(Param("pixels"), R8)
	Load(Param("depth"), RDX)
	Load(Param("apart"), R9)
	SHLQ(U8(2), R9)
	MOVQ(RDX, R10)
	SHRQ(U8(5), R10) // whole steps of a pixel
	ANDQ(U8(31), RDX)
	ones(RDX, RAX)
	KMOVW(EAX, K1)
	SHRQ(U8(16), RAX)
	KMOVW(EAX, K2)
	LEAQ(Mem{Base: RDX, Disp: 1}, R11)
	SHRQ(U8(1), R11) // pairs after them
	ones(R11, RAX)
	KMOVW(EAX, K3)
	TESTQ(R8, R8)
	JZ(LabelRef("done"))
	Label("pixel")
	MOVQ(RSI, RBX)
	MOVQ(R10, R12)
	TESTQ(R12, R12)
	JZ(LabelRef("rest"))
	Label("whole")
	VMOVUPS(Mem{Base: RBX}, Z0)
	VMOVUPS(Mem{Base: RBX, Disp: 64}, Z1)
	vcvtne2ps2bf16(Z0, Z1, Z2)
	VMOVUPS(Z2, Mem{Base: RDI})
	ADDQ(U8(128), RBX)
	ADDQ(U8(64), RDI)
	DECQ(R12)
	JNZ(LabelRef("whole"))
	Label("rest")
	TESTQ(R11, R11)
	JZ(LabelRef("next"))
	VMOVUPS_Z(Mem{Base: RBX}, K1, Z0)
	VMOVUPS_Z(Mem{Base: RBX, Disp: 64}, K2, Z1)
	vcvtne2ps2bf16(Z0, Z1, Z2)
	VMOVUPS(Z2, K3, Mem{Base: RDI})
	LEAQ(Mem{Base: RDI, Index: R11, Scale: 4}, RDI)
	Label("next")
	ADDQ(R9, RSI)
	DECQ(R8)
	JNZ(LabelRef("pixel"))
	Label("done")
	VZEROUPPER()
	RET()
}

// join writes joinGeneric's loop.
func join() {
	alternate := GLOBL("alternate", NOPTR|RODATA) // the words of both halves in turn
	for i := range 16 {
		DATA(4*i, U32(uint32(i)|uint32(16+i)<<16))
	}
	TEXT("joinBF16", NOSPLIT, "func(dst, lo, hi []float32)")
	Comment("for i < len(lo): dst[i] = (bfloat16(lo[i]), bfloat16(hi[i])), or zero for hi where it is empty")
	Load(Param("dst").Base(), RDI)
	Load(Param("lo").Base(), RSI)
	Load(Param("lo").Len(), RDX)
	Load(Param("hi").Base(), RBX)
	Load(Param("hi").Len(), R8)
	VMOVUPS(alternate, Z3)
	VPXORD(Z1, Z1, Z1)
	Label("whole")
	SUBQ(U8(16), RDX)
	JL(LabelRef("rest"))
	VMOVUPS(Mem{Base: RSI}, Z0)
	TESTQ(R8, R8)
	JZ(LabelRef("lone"))
	VMOVUPS(Mem{Base: RBX}, Z1)
	ADDQ(U8(64), RBX)
	Label("lone")
	vcvtne2ps2bf16(Z0, Z1, Z2)
	VPERMW(Z2, Z3, Z2)
	VMOVUPS(Z2, Mem{Base: RDI})
	ADDQ(U8(64), RSI)
	ADDQ(U8(64), RDI)
	JMP(LabelRef("whole"))
	Label("rest")
	ADDQ(U8(16), RDX)
	JZ(LabelRef("done"))
	ones(RDX, RAX)
	KMOVW(EAX, K1)
	VMOVUPS_Z(Mem{Base: RSI}, K1, Z0)
	TESTQ(R8, R8)
	JZ(LabelRef("last"))
	VMOVUPS_Z(Mem{Base: RBX}, K1, Z1)
	Label("last")
	vcvtne2ps2bf16(Z0, Z1, Z2)
	VPERMW(Z2, Z3, Z2)
	VMOVUPS(Z2, K1, Mem{Base: RDI})
	Label("done")
	VZEROUPPER()
	RET()
}

// turn writes turnGeneric's loop: sixteen columns of sixteen pairs are loaded as
// the rows of a matrix, which is transposed in registers.
func turn() {
	TEXT("turnBF16", NOSPLIT, "func(dst, src []float32, width, stride, cols, depth int)")
	Comment(
		"for i < ⌈depth/2⌉, j < 16:",
		"  dst[i·width+j] = (bfloat16(src[j·stride+2i]), bfloat16(src[j·stride+2i+1])); zero beyond depth and from cols on",
	)
	Load(Param("dst").Base(), RDI)
	Load(Param("src").Base(), RSI)
	Load(Param("width"), R8)
	Load(Param("stride"), R9)
	Load(Param("cols"), R10)
	Load(Param("depth"), R11)
	SHLQ(U8(2), R8)
	SHLQ(U8(2), R9)
	Label("step")
	TESTQ(R11, R11)
	JLE(LabelRef("done"))
	MOVQ(U32(32), RDX)
	CMPQ(R11, RDX)
	CMOVQLT(R11, RDX) // elements of each column in this step
	ones(RDX, RAX)
	KMOVW(EAX, K1)
	SHRQ(U8(16), RAX)
	KMOVW(EAX, K2)
	for j := range 16 {
		VPXORD(zmm[j], zmm[j], zmm[j])
	}
	MOVQ(RSI, RBX)
	for j := range 16 {
		CMPQ(R10, U8(j))
		JLE(LabelRef("loaded"))
		VMOVUPS_Z(Mem{Base: RBX}, K1, Z16)
		VMOVUPS_Z(Mem{Base: RBX, Disp: 64}, K2, Z17)
		vcvtne2ps2bf16(Z16, Z17, zmm[j])
		ADDQ(R9, RBX)
	}
	Label("loaded")
	transpose()
	MOVQ(RDX, RCX)
	INCQ(RCX)
	SHRQ(U8(1), RCX) // rows
	for i := range 16 {
		VMOVUPS(zmm[i], Mem{Base: RDI})
		ADDQ(R8, RDI)
		DECQ(RCX)
		JZ(LabelRef("stored"))
	}
	Label("stored")
	ADDQ(U8(64), RSI)
	ADDQ(U8(64), RSI)
	SUBQ(RDX, R11)
	JMP(LabelRef("step"))
	Label("done")
	VZEROUPPER()
	RET()
}

// transpose turns the 16×16 matrix of 32-bit elements in Z0 to Z15, with the
// other registers as scratch: by pairs of rows, by pairs of those, then by the
// 128-bit quarters that now hold four rows of one column.
func transpose() {
	a, b := zmm[:16], zmm[16:]
	for k := 0; k < 16; k += 2 {
		VPUNPCKLDQ(a[k+1], a[k], b[k])
		VPUNPCKHDQ(a[k+1], a[k], b[k+1])
	}
	for k := 0; k < 16; k += 4 {
		for half := range 2 {
			VPUNPCKLQDQ(b[k+2+half], b[k+half], a[k+2*half])
			VPUNPCKHQDQ(b[k+2+half], b[k+half], a[k+2*half+1])
		}
	}
	const even, odd = 0x88, 0xdd
	for k := 0; k < 16; k += 8 {
		for m := range 4 {
			VSHUFI32X4(U8(even), a[k+4+m], a[k+m], b[k+m])
			VSHUFI32X4(U8(odd), a[k+4+m], a[k+m], b[k+4+m])
		}
	}
	for m := range 4 {
		VSHUFI32X4(U8(even), b[8+m], b[m], a[m])
		VSHUFI32X4(U8(even), b[12+m], b[4+m], a[4+m])
		VSHUFI32X4(U8(odd), b[8+m], b[m], a[8+m])
		VSHUFI32X4(U8(odd), b[12+m], b[4+m], a[12+m])
	}
}

// ones sets the lowest n bits, n below 64.
func ones(n, to GPPhysical) {
	MOVQ(n, RCX)
	MOVQ(U32(1), to)
	SHLQ(CL, to)
	DECQ(to)
}
