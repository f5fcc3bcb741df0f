// Command rows writes the row kernels in assembly, for AVX2 and for AVX-512.
// What each of them computes stands beside its field of the rows struct.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A kernel goes once through data, a matrix in rows as wide as the operands in
// wide, which every row meets again. body computes one vector of a row.
type kernel struct {
	name    string
	data    []string // the first one's length is the matrix's
	wide    []string // the first one's length is a row's; none: one long row
	scalars []string
	body    func(v *vector)
}

var kernels = []kernel{
	{"moments", []string{"x"}, []string{"sum", "sumSq"}, nil, moments},
	{"affine", []string{"y", "x"}, []string{"mean", "scale", "beta"}, []string{"lo", "hi"}, affine},
	{"affineAdd", []string{"y", "x", "z"}, []string{"mean", "scale", "beta"}, []string{"lo", "hi"}, affineAdd},
	{"affinePast", []string{"y", "x"}, []string{"mean", "scale", "beta"}, []string{"lo", "hi"}, affinePast},
	{"affineAddPast", []string{"y", "x", "z"}, []string{"mean", "scale", "beta"}, []string{"lo", "hi"}, affineAddPast},
	{"gradients", []string{"dy", "y", "x"}, []string{"sumG", "sumGX", "mean"}, []string{"lo", "hi"}, gradients},
	{"gradientsOf", []string{"dy", "x"}, []string{"sumG", "sumGX", "mean", "scale", "beta"}, []string{"lo", "hi"}, gradientsOf},
	{"input", []string{"dx", "dy", "y", "x"}, []string{"mean", "scale", "shift", "slope"}, []string{"lo", "hi"}, input},
	{"inputCopy", []string{"dx", "dz", "dy", "y", "x"}, []string{"mean", "scale", "shift", "slope"}, []string{"lo", "hi"}, inputCopy},
	{"inputCopyPast", []string{"dx", "dz", "dy", "y", "x"}, []string{"mean", "scale", "shift", "slope"}, []string{"lo", "hi"}, inputCopyPast},
	{"inputAdd", []string{"dx", "dz", "dy", "y", "x"}, []string{"mean", "scale", "shift", "slope"}, []string{"lo", "hi"}, inputAdd},
	{"inputOf", []string{"dx", "dy", "x"}, []string{"mean", "scale", "beta", "shift", "slope"}, []string{"lo", "hi"}, inputOf},
	{"clamp", []string{"y", "x"}, nil, []string{"lo", "hi"}, clamp},
	{"add", []string{"y", "a", "b"}, nil, []string{"lo", "hi"}, add},
	{"larger", []string{"y", "x"}, nil, nil, larger},
	{"send", []string{"dx", "unsent", "y", "x"}, nil, nil, send},
	{"pass", []string{"dx", "dy", "y"}, nil, []string{"lo", "hi"}, pass},
	{"passAdd", []string{"dx", "dy", "y"}, nil, []string{"lo", "hi"}, passAdd},
	{"mul", []string{"y", "a"}, []string{"b"}, nil, mul},
	{"mulAdd", []string{"y", "a"}, []string{"b"}, nil, mulAdd},
	{"sigmoid", []string{"y", "x"}, nil, nil, sigmoid},
	{"hardSwish", []string{"y", "x"}, nil, nil, hardSwish},
	{"silu", []string{"y", "x"}, nil, nil, silu},
	{"siluBack", []string{"dx", "dy", "x"}, nil, nil, siluBack},
	{"siluBackAdd", []string{"dx", "dy", "x"}, nil, nil, siluBackAdd},
	{"sgd", []string{"p", "v", "dp"}, nil, []string{"lr", "m", "wd", "ofG", "ofV"}, sgd},
}

func moments(v *vector) {
	d := v.load("x")
	VSUBPS(v.load("first"), d, d)
	v.accumulate("sum", d)
	sumSq := v.load("sumSq")
	VFMADD231PS(d, d, sumSq)
	v.store("sumSq", sumSq)
}

func affine(v *vector)        { v.store("y", v.clamp(v.affine())) }
func affinePast(v *vector)    { v.storePast("y", v.clamp(v.affine())) }
func affineAdd(v *vector)     { v.store("y", v.clamp(v.affineAdd())) }
func affineAddPast(v *vector) { v.storePast("y", v.clamp(v.affineAdd())) }

// affineAdd is (x − mean)·scale + beta + z.
func (v *vector) affineAdd() reg.VecVirtual {
	y := v.affine()
	VADDPS(v.load("z"), y, y)
	return y
}

// affine is (x − mean)·scale + beta.
func (v *vector) affine() reg.VecVirtual {
	y := v.centred()
	VFMADD213PS(v.load("beta"), v.load("scale"), y)
	return y
}

// affineOf is the same, and leaves x − mean as it is.
func (v *vector) affineOf(d reg.VecVirtual) reg.VecVirtual {
	y := v.load("scale")
	VFMADD213PS(v.load("beta"), d, y)
	return y
}

// centred is x − mean.
func (v *vector) centred() reg.VecVirtual {
	x := v.load("x")
	VSUBPS(v.load("mean"), x, x)
	return x
}

func gradients(v *vector) { v.gradients(v.pass(), v.centred()) }

func gradientsOf(v *vector) {
	d := v.centred()
	v.gradients(v.passOf(v.affineOf(d)), d)
}

func (v *vector) gradients(g, d reg.VecVirtual) {
	v.accumulate("sumG", g)
	sumGX := v.load("sumGX")
	VFMADD231PS(g, d, sumGX)
	v.store("sumGX", sumGX)
}

func input(v *vector) { v.store("dx", v.input(v.pass(), v.centred())) }

func inputCopy(v *vector)     { v.inputCopy(v.store) }
func inputCopyPast(v *vector) { v.inputCopy(v.storePast) }

func (v *vector) inputCopy(storeZ func(string, reg.VecVirtual)) {
	g := v.pass()
	dx := v.input(g, v.centred())
	storeZ("dz", g)
	v.store("dx", dx)
}

func inputAdd(v *vector) {
	g := v.pass()
	dx := v.input(g, v.centred())
	v.accumulate("dz", g)
	v.store("dx", dx)
}

func inputOf(v *vector) {
	d := v.centred()
	v.store("dx", v.input(v.passOf(v.affineOf(d)), d))
}

// input is scale·(g − shift − d·slope), d = x − mean.
func (v *vector) input(g, d reg.VecVirtual) reg.VecVirtual {
	dx := v.new()
	VSUBPS(v.load("shift"), g, dx)
	VFNMADD231PS(v.load("slope"), d, dx)
	VMULPS(v.load("scale"), dx, dx)
	return dx
}

func clamp(v *vector)   { v.store("y", v.clamp(v.load("x"))) }
func add(v *vector)     { y := v.load("a"); VADDPS(v.load("b"), y, y); v.store("y", v.clamp(y)) }
func larger(v *vector)  { v.store("y", v.larger(v.load("y"), v.load("x"))) }
func pass(v *vector)    { v.store("dx", v.pass()) }
func passAdd(v *vector) { v.accumulate("dx", v.pass()) }

func send(v *vector) {
	const equal = 0
	x, sent, rest := v.load("x"), v.load("unsent"), v.new()
	if v.lanes == 8 {
		same := v.new()
		VCMPPS(operand.U8(equal), v.load("y"), x, same)
		VANDNPS(sent, same, rest)
		VANDPS(sent, same, sent)
	} else {
		same, other := K(), K()
		VCMPPS(operand.U8(equal), v.load("y"), x, same)
		KNOTW(same, other)
		VMOVAPS_Z(sent, other, rest)
		VMOVAPS_Z(sent, same, sent)
	}
	v.accumulate("dx", sent)
	v.store("unsent", rest)
}

func mul(v *vector) { y := v.load("a"); VMULPS(v.load("b"), y, y); v.store("y", y) }
func mulAdd(v *vector) {
	y := v.load("y")
	VFMADD231PS(v.load("a"), v.load("b"), y)
	v.store("y", y)
}

func sgd(v *vector) {
	g, p, velocity := v.load("dp"), v.load("p"), v.load("v")
	VFMADD231PS(v.scalar("wd"), p, g)
	VFMADD213PS(g, v.scalar("m"), velocity)
	v.store("v", velocity)
	VMULPS(v.scalar("ofG"), g, g)
	VFMADD231PS(v.scalar("ofV"), velocity, g)
	VFNMADD231PS(v.scalar("lr"), g, p)
	v.store("p", p)
}

func main() {
	ConstraintExpr("amd64")
	tail := tailMasks()
	for _, isa := range []isa{{"AVX2", 8}, {"AVX512", 16}} {
		for _, k := range kernels {
			isa.generate(k, tail)
		}
		for _, k := range columnKernels {
			isa.generateColumns(k, tail)
		}
	}
	Generate()
}

// tailMasks is eight set lanes and eight clear ones: read n lanes before its
// middle it selects the first n.
func tailMasks() operand.Mem {
	mask := GLOBL("rowsTail", RODATA|NOPTR)
	for i := range 16 {
		lane := uint32(0)
		if i < 8 {
			lane = ^lane
		}
		DATA(4*i, operand.U32(lane))
	}
	return mask
}
