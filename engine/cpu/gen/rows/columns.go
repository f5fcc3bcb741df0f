package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A column kernel goes down the columns of a tile of some rows, stride apart, some
// vectors of columns at a time, and keeps their sums in registers.
type columnKernel struct {
	name    string
	sums    [2]string
	wide    []string // operands of one row
	tiles   []string // operands of rows; all have the same stride
	scalars []string
	vectors map[int]int // at a time, what registers allow, by lanes
	// body adds a row's vector to sums, which begins as zeros.
	body func(v *vector, wide map[string]reg.VecVirtual, sums [2]reg.VecVirtual)
}

var columnKernels = []columnKernel{
	{"columnMoments", [2]string{"sum", "sumSq"}, []string{"first"}, []string{"x"}, nil, map[int]int{8: 3, 16: 3}, columnMoments},
	{"columnGradients", [2]string{"sumG", "sumGX"}, []string{"mean"}, []string{"dy", "y", "x"}, []string{"lo", "hi"}, map[int]int{8: 2, 16: 3}, columnGradients},
	{"columnGradientsOf", [2]string{"sumG", "sumGX"}, []string{"mean", "scale", "beta"}, []string{"dy", "x"}, []string{"lo", "hi"}, map[int]int{8: 1, 16: 3}, columnGradientsOf},
}

func columnMoments(v *vector, wide map[string]reg.VecVirtual, sums [2]reg.VecVirtual) {
	d := v.load("x")
	VSUBPS(wide["first"], d, d)
	VADDPS(d, sums[0], sums[0])
	VFMADD231PS(d, d, sums[1])
}

func columnGradients(v *vector, wide map[string]reg.VecVirtual, sums [2]reg.VecVirtual) {
	g, d := v.pass(), v.load("x")
	VSUBPS(wide["mean"], d, d)
	VADDPS(g, sums[0], sums[0])
	VFMADD231PS(g, d, sums[1])
}

func columnGradientsOf(v *vector, wide map[string]reg.VecVirtual, sums [2]reg.VecVirtual) {
	d, y := v.load("x"), v.new()
	VSUBPS(wide["mean"], d, d)
	VMOVAPS(wide["scale"], y)
	VFMADD213PS(wide["beta"], d, y)
	g := v.passOf(y)
	VADDPS(g, sums[0], sums[0])
	VFMADD231PS(g, d, sums[1])
}

// generate writes one kernel: its arguments are the two sums, which it adds to, wide
// operands, tiles, the number of rows, and their stride in elements.
func (isa isa) generateColumns(k columnKernel, tail operand.Mem) {
	slices := append(append(k.sums[:], k.wide...), k.tiles...)
	signature := "func(" + strings.Join(slices, ", ") + " []float32, rows, stride int"
	if len(k.scalars) > 0 {
		signature += ", " + strings.Join(k.scalars, ", ") + " float32"
	}
	TEXT(k.name+isa.name, NOSPLIT, signature+")")
	v := &vector{isa: isa, base: map[string]reg.Register{}, scalars: map[string]reg.VecVirtual{}, column: GP64()}
	for _, name := range slices {
		v.base[name] = Load(Param(name).Base(), GP64())
	}
	for _, name := range k.scalars {
		v.scalars[name] = v.new()
		address, _ := Param(name).Resolve()
		VBROADCASTSS(address.Addr, v.scalars[name])
	}
	stride := Load(Param("stride"), GP64())
	SHLQ(operand.U8(2), stride)
	left := GP64()
	Load(Param(k.sums[0]).Len(), left)
	XORQ(v.column, v.column)

	some := []int{k.vectors[isa.lanes], 1}
	if some[0] == 1 {
		some = some[:1]
	}
	for _, n := range some {
		Label(fmt.Sprintf("columns%d", n))
		CMPQ(left, operand.U32(uint32(n*isa.lanes)))
		JL(operand.LabelRef(fmt.Sprintf("fewer%d", n)))
		v.down(k, stride, n, fmt.Sprintf("row%d", n))
		for _, name := range slices {
			ADDQ(operand.U32(uint32(4*n*isa.lanes)), v.base[name])
		}
		SUBQ(operand.U32(uint32(n*isa.lanes)), left)
		JMP(operand.LabelRef(fmt.Sprintf("columns%d", n)))
		Label(fmt.Sprintf("fewer%d", n))
	}
	TESTQ(left, left)
	JE(operand.LabelRef("done"))
	v.mask = isa.tail(left, tail)
	v.down(k, stride, 1, "rowTail")
	Label("done")
	VZEROUPPER()
	RET()
}

// down goes down n vectors of columns.
func (v *vector) down(k columnKernel, stride reg.Register, n int, label string) {
	tiles := map[string]reg.Register{}
	for _, name := range k.tiles {
		tiles[name] = v.base[name]
		v.base[name] = GP64()
		MOVQ(tiles[name], v.base[name])
	}
	wide, totals := make([]map[string]reg.VecVirtual, n), make([][2]reg.VecVirtual, n)
	for i := range n {
		v.after = i * v.lanes
		wide[i] = map[string]reg.VecVirtual{}
		for _, name := range k.wide {
			wide[i][name] = v.load(name)
		}
		totals[i] = [2]reg.VecVirtual{v.load(k.sums[0]), v.load(k.sums[1])}
	}
	rows := Load(Param("rows"), GP64())
	Label(label)
	for i := range n {
		v.after = i * v.lanes
		k.body(v, wide[i], totals[i])
	}
	for _, name := range k.tiles {
		ADDQ(stride, v.base[name])
	}
	DECQ(rows)
	JNE(operand.LabelRef(label))
	for i := range n {
		v.after = i * v.lanes
		v.store(k.sums[0], totals[i][0])
		v.store(k.sums[1], totals[i][1])
	}
	v.after = 0
	for _, name := range k.tiles {
		v.base[name] = tiles[name]
	}
}
