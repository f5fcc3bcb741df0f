// Command winograd writes the transforms of Winograd's convolution in assembly, for AVX2 and for AVX-512. What
// each of them computes stands beside its Go version.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for _, m := range []machine{{"AVX2", 8, YMM}, {"AVX512", 16, ZMM}} {
		k := m.start("winogradInput")
		k.eachColumn(func() {
			k.pass(6, 6, func(d []reg.VecVirtual) []reg.VecVirtual { return k.input(d) })
		})
		k = m.start("winogradFilter")
		k.eachColumn(func() {
			k.pass(3, 6, func(g []reg.VecVirtual) []reg.VecVirtual { return k.filter(g) })
		})
		k = m.start("winogradOutput")
		k.eachColumn(k.result)
		k = m.start("winogradGradient")
		k.eachColumn(func() {
			k.pass(4, 6, func(y []reg.VecVirtual) []reg.VecVirtual { return k.gradient(y) })
		})
		k = m.start("winogradFold")
		k.eachColumn(k.folded)
	}
	Generate()
}

// A machine is an instruction set.
type machine struct {
	name  string
	lanes int
	vec   func() reg.VecVirtual
}

func (m machine) bytes() int { return 4 * m.lanes }

// The fields of package cpu's transform, in order, as byte offsets.
const (
	from, to, bias, z, tmp = 0, 24, 48, 72, 96
	row, pixel, step, n    = 120, 128, 136, 144
	rows, cols, lo, hi     = 152, 160, 168, 172
)

type kernel struct {
	machine
	t, from, column, tmp reg.GPVirtual
	row, row3, row5      reg.GPVirtual // distances of rows of the tile, 1, 3 and 5 of them
	pixel, step          reg.GPVirtual
	constants            map[float32]reg.VecVirtual
}

func (m machine) start(name string) *kernel {
	TEXT(name+m.name, NOSPLIT, "func(t uintptr)")
	k := &kernel{machine: m, t: GP64(), constants: map[float32]reg.VecVirtual{}}
	Load(Param("t"), k.t)
	k.from, k.tmp, k.column = k.field(from), k.field(tmp), GP64()
	k.row, k.pixel, k.step = k.field(row), k.field(pixel), k.field(step)
	for _, d := range []reg.GPVirtual{k.row, k.pixel, k.step} {
		SHLQ(U8(2), d)
	}
	of := map[string][]float32{"winogradInput": {4, 5, 2}, "winogradFilter": {1. / 4, -1. / 6, 1. / 12, 1. / 24, 1. / 6}, "winogradOutput": {2, 4, 8},
		"winogradGradient": {2, 4, 8}, "winogradFold": {1. / 4, 1. / 6, 1. / 24, 1. / 12}}[name]
	for i, v := range of {
		c := GLOBL(fmt.Sprintf("%s%s%d", name, m.name, i), RODATA|NOPTR)
		DATA(0, U32(math.Float32bits(v)))
		k.constants[v] = m.vec()
		VBROADCASTSS(c, k.constants[v])
	}
	if name == "winogradOutput" || name == "winogradFold" { // their rows are values that lie six steps apart
		MOVQ(k.step, k.row)
		SHLQ(U8(2), k.row)
		ADDQ(k.step, k.row)
		ADDQ(k.step, k.row)
	}
	k.row3, k.row5 = GP64(), GP64()
	LEAQ(Mem{Base: k.row, Index: k.row, Scale: 2}, k.row3)
	LEAQ(Mem{Base: k.row, Index: k.row, Scale: 4}, k.row5)
	return k
}

func (k *kernel) field(at int) reg.GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: k.t, Disp: at}, r)
	return r
}

// eachColumn goes through the channels a vector at a time.
func (k *kernel) eachColumn(body func()) {
	XORQ(k.column, k.column)
	Label("columns")
	body()
	ADDQ(U8(k.bytes()), k.from)
	ADDQ(U8(k.bytes()), k.column)
	left := k.field(n)
	SHLQ(U8(2), left)
	CMPQ(k.column, left)
	JL(LabelRef("columns"))
	VZEROUPPER()
	RET()
}

// at is row i below p.
func (k *kernel) at(p reg.GPVirtual, i int) Mem {
	switch i {
	case 0:
		return Mem{Base: p}
	case 3:
		return Mem{Base: p, Index: k.row3, Scale: 1}
	case 5:
		return Mem{Base: p, Index: k.row5, Scale: 1}
	}
	return Mem{Base: p, Index: k.row, Scale: uint8(i)}
}

func (k *kernel) load(m Mem) reg.VecVirtual {
	v := k.vec()
	VMOVUPS(m, v)
	return v
}

func (k *kernel) kept(i, j int) Mem { return Mem{Base: k.tmp, Disp: (6*i + j) * k.bytes()} }

// columnsOf transforms width columns of height values each, a step apart, into tmp.
func (k *kernel) columnsOf(width, height int, apart reg.GPVirtual, f func([]reg.VecVirtual) []reg.VecVirtual) {
	p := GP64()
	MOVQ(k.from, p)
	for j := range width {
		var d []reg.VecVirtual
		for i := range height {
			d = append(d, k.load(k.at(p, i)))
		}
		for i, v := range f(d) {
			VMOVUPS(v, k.kept(i, j))
		}
		if j < width-1 {
			ADDQ(apart, p)
		}
	}
}

func (k *kernel) rowOf(i, width int) []reg.VecVirtual {
	var d []reg.VecVirtual
	for j := range width {
		d = append(d, k.load(k.kept(i, j)))
	}
	return d
}

// pass transforms the columns, then the rows, of a size×size tile.
func (k *kernel) pass(size, result int, f func([]reg.VecVirtual) []reg.VecVirtual) {
	k.columnsOf(size, size, k.pixel, f)
	p := k.field(to)
	ADDQ(k.column, p)
	for i := range result {
		for _, v := range f(k.rowOf(i, size)) {
			VMOVUPS(v, Mem{Base: p})
			ADDQ(k.step, p)
		}
	}
}

// plus is a + b·c, or a − b·c.
func (k *kernel) plus(a, b reg.VecVirtual, c float32) reg.VecVirtual {
	v := k.vec()
	VMOVAPS(a, v)
	if c < 0 {
		VFNMADD231PS(k.constants[-c], b, v)
	} else {
		VFMADD231PS(k.constants[c], b, v)
	}
	return v
}

func (k *kernel) sum(a, b reg.VecVirtual) reg.VecVirtual {
	v := k.vec()
	VADDPS(b, a, v)
	return v
}

func (k *kernel) difference(a, b reg.VecVirtual) reg.VecVirtual {
	v := k.vec()
	VSUBPS(b, a, v)
	return v
}

func (k *kernel) times(a reg.VecVirtual, c float32) reg.VecVirtual {
	v := k.vec()
	VMULPS(k.constants[c], a, v)
	return v
}

func (k *kernel) input(d []reg.VecVirtual) []reg.VecVirtual {
	first := k.plus(k.plus(d[4], d[2], -5), d[0], 4)
	last := k.plus(k.plus(d[5], d[3], -5), d[1], 4)
	a, b := k.plus(d[4], d[2], -4), k.plus(d[3], d[1], -4)
	c, e := k.difference(d[4], d[2]), k.difference(d[3], d[1])
	return []reg.VecVirtual{first, k.sum(a, b), k.difference(a, b), k.plus(c, e, 2), k.plus(c, e, -2), last}
}

func (k *kernel) filter(g []reg.VecVirtual) []reg.VecVirtual {
	outer := k.sum(g[0], g[2])
	far := k.plus(k.times(g[0], 1./24), g[2], 1./6)
	return []reg.VecVirtual{
		k.times(g[0], 1./4),
		k.times(k.sum(outer, g[1]), -1./6), k.times(k.difference(outer, g[1]), -1./6),
		k.plus(far, g[1], 1./12), k.plus(far, g[1], -1./12),
		g[2],
	}
}

func (k *kernel) output(m []reg.VecVirtual) []reg.VecVirtual {
	s, d := k.sum(m[1], m[2]), k.difference(m[1], m[2])
	p, q := k.sum(m[3], m[4]), k.difference(m[3], m[4])
	return []reg.VecVirtual{k.sum(k.sum(m[0], s), p), k.plus(d, q, 2), k.plus(s, p, 4), k.sum(k.plus(d, q, 8), m[5])}
}

// result writes up to 4×4 pixels with the epilogue.
func (k *kernel) result() {
	k.columnsOf(6, 6, k.step, k.output)
	start, low, high := k.vec(), k.vec(), k.vec()
	VXORPS(start, start, start)
	b := k.field(bias)
	TESTQ(b, b)
	JZ(LabelRef("started"))
	VMOVUPS(Mem{Base: b, Index: k.column, Scale: 1}, start)
	Label("started")
	VBROADCASTSS(Mem{Base: k.t, Disp: lo}, low)
	VBROADCASTSS(Mem{Base: k.t, Disp: hi}, high)
	y, addend := k.field(to), k.field(z)
	ADDQ(k.column, y)
	ADDQ(k.column, addend)
	for i := range 4 {
		if i > 0 {
			CMPQ(Mem{Base: k.t, Disp: rows}, U8(i))
			JLE(LabelRef("done"))
		}
		at, from := GP64(), GP64()
		MOVQ(y, at)
		MOVQ(addend, from)
		for j, v := range k.output(k.rowOf(i, 6)) {
			if j > 0 {
				CMPQ(Mem{Base: k.t, Disp: cols}, U8(j))
				JLE(LabelRef(fmt.Sprintf("row%d", i)))
			}
			bare := fmt.Sprintf("bare%d%d", i, j)
			VADDPS(start, v, v)
			CMPQ(Mem{Base: k.t, Disp: z}, U8(0))
			JE(LabelRef(bare))
			VADDPS(Mem{Base: from}, v, v)
			Label(bare)
			// A NaN comes out as a NaN: of two operands, max and min return the first one here.
			VMAXPS(v, low, v)
			VMINPS(v, high, v)
			VMOVUPS(v, Mem{Base: at})
			ADDQ(k.pixel, at)
			ADDQ(k.pixel, from)
		}
		Label(fmt.Sprintf("row%d", i))
		down := k.field(row)
		SHLQ(U8(2), down)
		ADDQ(down, y)
		ADDQ(down, addend)
	}
	Label("done")
}

func (k *kernel) gradient(y []reg.VecVirtual) []reg.VecVirtual {
	a, b := k.sum(y[0], y[2]), k.sum(y[1], y[3])
	c, d := k.plus(y[0], y[2], 4), k.plus(k.sum(y[1], y[1]), y[3], 8)
	return []reg.VecVirtual{y[0], k.sum(a, b), k.difference(a, b), k.sum(c, d), k.difference(c, d), y[3]}
}

func (k *kernel) fold(u []reg.VecVirtual) []reg.VecVirtual {
	s, d := k.sum(u[1], u[2]), k.difference(u[1], u[2])
	p, q := k.sum(u[3], u[4]), k.difference(u[3], u[4])
	return []reg.VecVirtual{
		k.plus(k.plus(k.times(u[0], 1./4), s, -1./6), p, 1./24),
		k.plus(k.times(q, 1./12), d, -1./6),
		k.plus(k.plus(u[5], s, -1./6), p, 1./6),
	}
}

// folded writes 3×3 taps.
func (k *kernel) folded() {
	k.columnsOf(6, 6, k.step, k.fold)
	y, down := k.field(to), k.field(row)
	ADDQ(k.column, y)
	SHLQ(U8(2), down)
	for i := range 3 {
		for j, v := range k.fold(k.rowOf(i, 6)) {
			at := Mem{Base: y}
			if j > 0 {
				at.Index, at.Scale = k.pixel, uint8(j)
			}
			VMOVUPS(v, at)
		}
		ADDQ(down, y)
	}
}
