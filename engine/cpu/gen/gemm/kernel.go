package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// perBase is how many rows one base register reaches: 0 to 8 times the stride,
// as x86 scales 1, 3, 5 and 7 times it.
const perBase = 9

// A kernel is a function being written. All registers are chosen by hand: the
// tile takes every vector register, and nearly every general one is needed to
// address its rows.
type kernel struct {
	m             machine
	name          string
	pairs         bool // of bfloat16 where there is a float32 else
	vectors, rows int
	locals        map[string]Mem

	t              GPPhysical    // the argument
	base           [4]GPPhysical // rows 0, 9, 18 and 27
	a, c, z        GPPhysical    // before and after the inner loop
	b              GPPhysical
	n, segs        GPPhysical // left of a segment, and segments left
	s1, s3, s5, s7 GPPhysical // stride of rows, times 1, 3, 5 and 7
	aheadA, aheadB GPPhysical
	rowsAhead      GPPhysical
	step           GPPhysical // rows of this tile
}

func (m machine) kernel(name string, vectors, rows int) *kernel {
	return &kernel{
		m: m, name: name, vectors: vectors, rows: rows, locals: map[string]Mem{},
		t: RDI, base: [4]GPPhysical{RAX, RBX, RCX, RDX}, a: RAX, c: RBX, z: RDX,
		b: RSI, n: R8, segs: R9, s1: R10, s3: R11, s5: R12, s7: R13, aheadA: R12, aheadB: R13, rowsAhead: R14, step: R15,
	}
}

// Registers: sums first, then a factor for each vector, then broadcasts, and the
// mask of AVX2 in the last one.
func (k *kernel) sum(i, v int) VecPhysical { return k.m.vec(i*k.vectors + v) }
func (k *kernel) free(i int) VecPhysical   { return k.m.vec(k.rows*k.vectors + i) }
func (k *kernel) factor(v int) VecPhysical { return k.free(v) }
func (k *kernel) broadcast(i int) VecPhysical {
	first := k.rows*k.vectors + k.vectors
	return k.m.vec(first + i%min(2, max(k.m.registers()-1-first, 1)))
}

// start begins the function with its loop as a comment.
func (k *kernel) start(loop ...string) {
	TEXT(k.name, NOSPLIT, "func(t uintptr)")
	Comment(loop...)
	MOVQ(NewParamAddr("t", 0), k.t)
}

// local is a variable on the stack.
func (k *kernel) local(name string) Mem {
	if _, ok := k.locals[name]; !ok {
		k.locals[name] = AllocLocal(8)
	}
	return k.locals[name]
}

func (k *kernel) load(field int, to GPPhysical) { MOVQ(Mem{Base: k.t, Disp: field}, to) }

// keep copies a field to a variable of its own, for the tiles to advance.
func (k *kernel) keep(by GPPhysical, field int, name string) {
	k.load(field, by)
	MOVQ(by, k.local(name))
}

// mask prepares the last vector's mask from the number of columns.
func (k *kernel) mask(field int) {
	MOVQ(Mem{Base: k.t, Disp: field}, RCX)
	SUBQ(U8((k.vectors-1)*k.m.lanes), RCX)
	k.m.mask(RCX, RAX, k.local("mask"))
}

// tiles goes through the rows: prepare, the inner loop for as many rows as this
// tile has, finish.
func (k *kernel) tiles(stepField int, prepare func(), inner func(rows int), finish func()) {
	Label("next")
	MOVQ(k.local("rows"), k.step)
	TESTQ(k.step, k.step)
	JZ(LabelRef("done"))
	CMPQ(k.step, Mem{Base: k.t, Disp: stepField})
	JLE(LabelRef("tile"))
	k.load(stepField, k.step)
	Label("tile")
	prepare()
	k.dispatch("rows", 1, k.rows)
	for rows := k.rows; rows >= 1; rows-- {
		Label(fmt.Sprintf("rows%d", rows))
		inner(rows)
		if rows > 1 {
			JMP(LabelRef("finish"))
		}
	}
	Label("finish")
	finish()
	JMP(LabelRef("next"))
	Label("done")
}

// end returns.
func (k *kernel) end() {
	VZEROUPPER()
	RET()
}

// dispatch jumps to the label for the tile's number of rows, which lies between lo and hi.
func (k *kernel) dispatch(label string, lo, hi int) {
	if lo == hi {
		JMP(LabelRef(fmt.Sprint(label, lo)))
		return
	}
	mid := (lo + hi + 1) / 2
	above := fmt.Sprintf("%sFrom%d", label, mid)
	CMPQ(k.step, U8(mid))
	JGE(LabelRef(above))
	k.dispatch(label, lo, mid-1)
	Label(above)
	k.dispatch(label, mid, hi)
}

// segments is the inner loop over every segment's elements.
func (k *kernel) segments(rows int, begin, body, end func()) {
	segment, element := fmt.Sprintf("segment%d", rows), fmt.Sprintf("element%d", rows)
	TESTQ(k.segs, k.segs)
	JZ(LabelRef("finish"))
	Label(segment)
	begin()
	Label(element)
	body()
	DECQ(k.n)
	JNZ(LabelRef(element))
	end()
	DECQ(k.segs)
	JNZ(LabelRef(segment))
}

// fetch asks for where the tile's rows will be stored, and for what is added to them:
// rows of many columns lie far apart, where no processor looks ahead by itself, and
// come while the sums are computed.
func (k *kernel) fetch() {
	k.load(tileLDC, k.s1)
	MOVQ(k.local("c"), k.c)
	MOVQ(k.local("z"), k.z)
	MOVQ(k.step, k.n)
	TESTQ(k.z, k.z)
	JNZ(LabelRef("fetch"))
	MOVQ(k.c, k.z)
	Label("fetch")
	for v := range k.vectors {
		PREFETCHT0(Mem{Base: k.c, Disp: v * k.m.bytes()})
		PREFETCHT0(Mem{Base: k.z, Disp: v * k.m.bytes()})
	}
	LEAQ(Mem{Base: k.c, Index: k.s1, Scale: 4}, k.c)
	LEAQ(Mem{Base: k.z, Index: k.s1, Scale: 4}, k.z)
	DECQ(k.n)
	JNZ(LabelRef("fetch"))
}

// zero clears the sums.
func (k *kernel) zero() {
	for i := range k.rows * k.vectors {
		k.m.zero(k.m.vec(i))
	}
}

// bias starts the sums with the bias, if there is one.
func (k *kernel) bias() {
	for v := range k.vectors {
		k.m.zero(k.sum(0, v))
	}
	MOVQ(k.local("bias"), k.a)
	TESTQ(k.a, k.a)
	JZ(LabelRef("started"))
	for v := range k.vectors {
		from := Mem{Base: k.a, Disp: v * k.m.bytes()}
		if v < k.vectors-1 {
			k.m.move(from, k.sum(0, v))
		} else {
			k.m.maskAgain(k.local("mask"))
			k.m.load(from, k.sum(0, v))
		}
	}
	Label("started")
	for i := 1; i < k.rows; i++ {
		for v := range k.vectors {
			VMOVAPS(k.sum(0, v), k.sum(i, v))
		}
	}
}

// strides prepares the multiples of the rows' stride, in bytes.
func (k *kernel) strides(field int) {
	k.load(field, k.s1)
	SHLQ(U8(2), k.s1)
	LEAQ(Mem{Base: k.s1, Index: k.s1, Scale: 2}, k.s3)
	LEAQ(Mem{Base: k.s1, Index: k.s1, Scale: 4}, k.s5)
	LEAQ(Mem{Base: k.s3, Index: k.s1, Scale: 4}, k.s7)
}

// bases points the base registers at their rows of a.
func (k *kernel) bases() {
	MOVQ(k.local("a"), k.base[0])
	for i := 1; i*perBase < k.rows; i++ {
		LEAQ(Mem{Base: k.base[i-1], Index: k.s1, Scale: 8}, k.base[i])
		ADDQ(k.s1, k.base[i])
	}
}

// row is where row i of a stands.
func (k *kernel) row(i int) Mem {
	at := Mem{Base: k.base[i/perBase]}
	switch i % perBase {
	case 1, 2, 4, 8:
		at.Index, at.Scale = k.s1, uint8(i%perBase)
	case 3:
		at.Index, at.Scale = k.s3, 1
	case 6:
		at.Index, at.Scale = k.s3, 2
	case 5:
		at.Index, at.Scale = k.s5, 1
	case 7:
		at.Index, at.Scale = k.s7, 1
	}
	return at
}

// multiply adds one element of a, times the factors, to the sums of row i.
func (k *kernel) multiply(i int, a Mem) {
	if k.pairs {
		VBROADCASTSS(a, k.broadcast(i))
		for v := range k.vectors {
			vdpbf16ps(k.factor(v), k.broadcast(i), k.sum(i, v))
		}
		return
	}
	if k.vectors == 1 && k.m.lanes == 16 {
		VFMADD231PS_BCST(a, k.factor(0), k.sum(i, 0))
		return
	}
	VBROADCASTSS(a, k.broadcast(i))
	for v := range k.vectors {
		VFMADD231PS(k.factor(v), k.broadcast(i), k.sum(i, v))
	}
}

// pixels prepares outer's way through the pixels.
func (k *kernel) pixels() {
	MOVQ(k.local("a"), k.a)
	MOVQ(k.a, k.local("segA"))
	k.load(outerB, k.b)
	MOVQ(k.b, k.local("segB"))
	k.load(outerLDA, k.s1)
	k.load(outerLDB, k.s3)
	SHLQ(U8(2), k.s1)
	SHLQ(U8(2), k.s3)
	k.load(outerAheadA, k.aheadA)
	k.load(outerAheadB, k.aheadB)
	k.zero()
	k.load(outerSegs, k.segs)
}

// next moves a segment's start to a register and steps on to the next one's.
func (k *kernel) next(name string, field int, to GPPhysical) {
	MOVQ(k.local(name), to)
	k.load(field, k.base[3])
	SHLQ(U8(2), k.base[3])
	ADDQ(k.base[3], k.local(name))
}

// store writes the tile's rows, the last one first so that any number of rows
// enters the same code, and advances c.
func (k *kernel) store(row func(i int), ldc int, along func(bytes GPPhysical)) {
	k.load(ldc, k.s1)
	SHLQ(U8(2), k.s1)
	MOVQ(k.step, k.n)
	IMULQ(k.s1, k.n)
	MOVQ(k.local("c"), k.c)
	ADDQ(k.n, k.local("c"))
	along(k.n)
	SUBQ(k.s1, k.n)
	ADDQ(k.n, k.c)
	ADDQ(k.n, k.z)
	k.dispatch("store", 1, k.rows)
	for i := k.rows - 1; i >= 0; i-- {
		Label(fmt.Sprint("store", i+1))
		row(i)
		if i > 0 {
			SUBQ(k.s1, k.c)
			SUBQ(k.s1, k.z)
		}
	}
	MOVQ(k.step, k.n)
	SUBQ(k.n, k.local("rows"))
}

// columns calls part for every vector of a row.
func (k *kernel) columns(base GPPhysical, part func(at Mem, v int, last bool)) {
	for v := range k.vectors {
		part(Mem{Base: base, Disp: v * k.m.bytes()}, v, v == k.vectors-1)
	}
}

// epilogue adds z, clamps and stores.
func (k *kernel) epilogue(lda int) {
	lo, hi, tmp := k.free(0), k.free(1), k.free(2)
	VBROADCASTSS(Mem{Base: k.t, Disp: tileLo}, lo)
	VBROADCASTSS(Mem{Base: k.t, Disp: tileHi}, hi)
	k.m.maskAgain(k.local("mask"))
	MOVQ(k.local("z"), k.z)
	MOVQ(k.z, k.segs)
	k.store(func(i int) {
		bare := fmt.Sprintf("bare%d", i)
		TESTQ(k.segs, k.segs)
		JZ(LabelRef(bare))
		k.columns(k.z, func(at Mem, v int, last bool) { k.m.add(at, k.sum(i, v), tmp, last) })
		Label(bare)
		// A NaN comes out as a NaN: of two operands, max and min return the first one here.
		for v := range k.vectors {
			VMAXPS(k.sum(i, v), lo, k.sum(i, v))
			VMINPS(k.sum(i, v), hi, k.sum(i, v))
		}
		k.columns(k.c, func(at Mem, v int, last bool) { k.m.store(k.sum(i, v), at, last) })
	}, tileLDC, func(bytes GPPhysical) {
		TESTQ(k.segs, k.segs)
		JZ(LabelRef("advanced"))
		ADDQ(bytes, k.local("z"))
		Label("advanced")
	})
	k.load(lda, k.s1)
	SHLQ(U8(2), k.s1)
	IMULQ(k.s1, k.n)
	ADDQ(k.n, k.local("a"))
}

// sums adds to or overwrites c, and advances the operand whose rows they are.
func (k *kernel) sums(name string, stride func()) {
	tmp := k.free(0)
	MOVBLZX(Mem{Base: k.t, Disp: outerAdd}, k.segs.As32())
	k.m.maskAgain(k.local("mask"))
	k.store(func(i int) {
		bare := fmt.Sprintf("bare%d", i)
		TESTQ(k.segs, k.segs)
		JZ(LabelRef(bare))
		k.columns(k.c, func(at Mem, v int, last bool) { k.m.add(at, k.sum(i, v), tmp, last) })
		Label(bare)
		k.columns(k.c, func(at Mem, v int, last bool) { k.m.store(k.sum(i, v), at, last) })
	}, outerLDC, func(GPPhysical) {})
	stride()
	SHLQ(U8(2), k.n)
	ADDQ(k.n, k.local(name))
}
