package main

import (
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type isa struct {
	name  string
	lanes int
}

// signature lists the arguments as the rows struct has them: sums before data,
// other wide operands after it.
func (k kernel) signature() string {
	var sums, wide []string
	for _, w := range k.wide {
		if strings.HasPrefix(w, "sum") {
			sums = append(sums, w)
		} else {
			wide = append(wide, w)
		}
	}
	slices := append(append(sums, k.data...), wide...)
	s := "func(" + strings.Join(slices, ", ") + " []float32"
	if len(k.scalars) > 0 {
		s += ", " + strings.Join(k.scalars, ", ") + " float32"
	}
	return s + ")"
}

// generate writes one kernel: rows, within a row whole vectors, and what is left
// of it as one vector under a mask.
func (isa isa) generate(k kernel, tail operand.Mem) {
	TEXT(k.name+isa.name, NOSPLIT, k.signature())
	column := GP64()
	v := &vector{isa: isa, base: map[string]reg.Register{}, scalars: map[string]reg.VecVirtual{}, column: column, data: k.data}
	for _, name := range append(k.data, k.wide...) {
		v.base[name] = Load(Param(name).Base(), GP64())
	}
	if k.name == "moments" {
		v.base["first"] = Load(Param("x").Base(), GP64())
	}
	for _, name := range k.scalars {
		v.scalars[name] = v.new()
		address, _ := Param(name).Resolve()
		VBROADCASTSS(address.Addr, v.scalars[name])
	}
	left := Load(Param(k.data[0]).Len(), GP64())

	Label("row")
	TESTQ(left, left)
	JE(operand.LabelRef("done"))
	columns := GP64()
	MOVQ(left, columns)
	if k.wide != nil {
		width := Load(Param(k.wide[0]).Len(), GP64())
		CMPQ(columns, width)
		CMOVQGT(width, columns)
	}
	SUBQ(columns, left)
	XORQ(column, column)
	whole := GP64()
	MOVQ(columns, whole)
	ANDQ(operand.I32(-isa.lanes), whole)
	JE(operand.LabelRef("tail"))

	Label("vector")
	k.body(v)
	ADDQ(operand.U8(isa.lanes), column)
	CMPQ(column, whole)
	JL(operand.LabelRef("vector"))

	Label("tail")
	SUBQ(columns, whole)
	JE(operand.LabelRef("next"))
	NEGQ(whole) // the columns left over
	v.mask = isa.tail(whole, tail)
	k.body(v)

	Label("next")
	for _, name := range k.data {
		LEAQ(operand.Mem{Base: v.base[name], Index: columns, Scale: 4}, v.base[name])
	}
	JMP(operand.LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}

// tail is a mask of the first n lanes, 0 < n < lanes. It uses up n.
func (isa isa) tail(n reg.GPVirtual, masks operand.Mem) reg.Register {
	if isa.lanes == 8 {
		NEGQ(n)
		table, mask := GP64(), YMM()
		LEAQ(masks, table)
		VMOVUPS(operand.Mem{Base: table, Index: n, Scale: 4, Disp: 32}, mask)
		return mask
	}
	ones, mask := GP32(), K()
	MOVL(operand.U32(1<<16-1), ones)
	BZHIL(n.As32(), ones, ones)
	KMOVW(ones, mask)
	return mask
}

// aheadBytes is a page, at whose end the processor by itself stops looking ahead:
// else a kernel waits for memory, and computes only then.
const aheadBytes = 4096

// A vector is the place in a row that a kernel's body works on.
type vector struct {
	isa
	base    map[string]reg.Register
	scalars map[string]reg.VecVirtual
	column  reg.GPVirtual
	data    []string     // operands that come from memory, and are asked for aheadBytes before
	after   int          // columns
	mask    reg.Register // nil: all lanes
}

func (v *vector) new() reg.VecVirtual {
	if v.lanes == 8 {
		return YMM()
	}
	return ZMM()
}

func (v *vector) scalar(name string) reg.VecVirtual { return v.scalars[name] }

func (v *vector) at(name string) operand.Mem {
	return operand.Mem{Base: v.base[name], Index: v.column, Scale: 4, Disp: 4 * v.after}
}

func (v *vector) load(name string) reg.VecVirtual {
	x := v.new()
	if v.mask == nil && slices.Contains(v.data, name) {
		next := v.at(name)
		next.Disp += aheadBytes
		PREFETCHT0(next)
	}
	switch {
	case v.mask == nil:
		VMOVUPS(v.at(name), x)
	case v.lanes == 8:
		VMASKMOVPS(v.at(name), v.mask, x)
	default:
		VMOVUPS_Z(v.at(name), v.mask, x)
	}
	return x
}

func (v *vector) store(name string, x reg.VecVirtual) {
	switch {
	case v.mask == nil:
		VMOVUPS(x, v.at(name))
	case v.lanes == 8:
		VMASKMOVPS(x, v.mask, v.at(name))
	default:
		VMOVUPS(x, v.mask, v.at(name))
	}
}

// storePast writes whole vectors past the caches. They begin at multiples of their size.
func (v *vector) storePast(name string, x reg.VecVirtual) {
	if v.mask != nil {
		v.store(name, x)
		return
	}
	VMOVNTPS(x, v.at(name))
}

func (v *vector) accumulate(name string, x reg.VecVirtual) {
	sum := v.load(name)
	VADDPS(x, sum, sum)
	v.store(name, sum)
}

// clamp is min(max(x, lo), hi); x stands where MAXPS and MINPS keep a NaN.
func (v *vector) clamp(x reg.VecVirtual) reg.VecVirtual {
	VMAXPS(x, v.scalar("lo"), x)
	VMINPS(x, v.scalar("hi"), x)
	return x
}

// larger is max(y, x). MAXPS keeps a NaN of its last operand, x; the comparison
// keeps one of y.
func (v *vector) larger(y, x reg.VecVirtual) reg.VecVirtual {
	const unordered = 3
	VMAXPS(x, y, x)
	if v.lanes == 8 {
		nan := v.new()
		VCMPPS(operand.U8(unordered), y, y, nan)
		VBLENDVPS(nan, y, x, x)
		return x
	}
	nan := K()
	VCMPPS(operand.U8(unordered), y, y, nan)
	VMOVAPS(y, nan, x)
	return x
}

// pass is dy where not y ≤ lo and not y ≥ hi, and 0 elsewhere.
func (v *vector) pass() reg.VecVirtual { return v.passOf(v.load("y")) }

func (v *vector) passOf(y reg.VecVirtual) reg.VecVirtual {
	const notLessEqual, notGreaterEqual = 0x16, 0x19 // quiet, true for NaN
	g := v.load("dy")
	if v.lanes == 8 {
		above, below := v.new(), v.new()
		VCMPPS(operand.U8(notLessEqual), v.scalar("lo"), y, above)
		VCMPPS(operand.U8(notGreaterEqual), v.scalar("hi"), y, below)
		VANDPS(above, g, g)
		VANDPS(below, g, g)
		return g
	}
	above, within := K(), K()
	VCMPPS(operand.U8(notLessEqual), v.scalar("lo"), y, above)
	VCMPPS(operand.U8(notGreaterEqual), v.scalar("hi"), y, above, within)
	VMOVAPS_Z(g, within, g)
	return g
}
