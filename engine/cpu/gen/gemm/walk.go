package main

import (
	"maps"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// An end is what a walk does with its sums.
type end int

const (
	writes    end = iota // them
	moments              // and adds up their moments about the mean
	gradients            // adds up the sums of the gradient of a batch norm that they are of
	input                // writes the gradient of its input
)

func (e end) loop() []string {
	g := []string{"  d = x[…] - mean[j],  g = sum where not d·scale[j] + beta[j] ≤ lo and not ≥ hi, else 0"}
	return [...][]string{
		{"  c[…] = min(max(sum, lo), hi)"},
		{"  c[…] = min(max(sum, lo), hi),  d = c[…] - mean[j]", "  sumG[j] += d,  sumX[j] += d²"},
		append(g, "  sumG[j] += g,  sumX[j] += g·d"),
		append(g, "  c[…] = scale[j]·(g - shift[j] - d·slope[j])"),
	}[e]
}

// of is whether it reads the input of a batch norm.
func (e end) of() bool { return e >= gradients }

// adds is whether it adds something up.
func (e end) adds() bool { return e == moments || e == gradients }

// The registers of AVX-512 above those of a tile.
var (
	ofMean, ofScale, ofBeta, ofShift, ofSlope = Z16, Z17, Z18, Z19, Z20
	ofSumG, ofSumX, ofD, ofY                  = Z21, Z22, Z23, Z24
	fromC                                     = R14 // to x, in bytes
)

// rows are the rows by channel that an end reads and those it adds to.
func (e end) rows() (read, added map[int]VecPhysical) {
	if e.adds() {
		added = map[int]VecPhysical{walkSumG: ofSumG, walkSumX: ofSumX}
	}
	switch e {
	case moments:
		read = map[int]VecPhysical{walkMean: ofMean}
	case gradients:
		read = map[int]VecPhysical{walkMean: ofMean, walkScale: ofScale, walkBeta: ofBeta}
	case input:
		read = map[int]VecPhysical{walkMean: ofMean, walkScale: ofScale, walkBeta: ofBeta, walkShift: ofShift, walkSlope: ofSlope}
	}
	return read, added
}

// channel calls each row's part of this vector, in order.
func (k *kernel) channel(rows map[int]VecPhysical, by, index GPPhysical, each func(at Mem, row VecPhysical)) {
	if len(rows) == 0 {
		return
	}
	MOVQ(k.local("channel"), index)
	for _, field := range slices.Sorted(maps.Keys(rows)) {
		k.load(field, by)
		each(Mem{Base: by, Index: index, Scale: 1}, rows[field])
	}
}

// A walker writes a walk's loops: over vectors of channels, the spans of a step, tiles of
// pixels, and taps.
type walker struct {
	*kernel
	end
	read, added map[int]VecPhysical // rows by channel

	z, taps, left, b, at, c GPPhysical
	w, lo, hi, tmp          VecPhysical
	start                   Mem // what sums begin with
}

// walk writes walkGeneric's loop, or one that ends otherwise.
func (k *kernel) walk(e end) {
	k.start(append([]string{
		"for v < vectors, s in spans, i < s.pixels, j = v·lanes + l, l < lanes, where there is such a channel, … = to + s.c + i·pixelC + j:",
		"  sum = bias[j] + z[…]",
		"  sum += Σ over t in s.taps of a[from + s.a + i·pixelA + t.a + j] · b[v·size + t.b + l]",
	}, e.loop()...)...)
	o := &walker{kernel: k, end: e, z: RSI, taps: R8, left: R9, b: RSI, at: RCX, c: RDX,
		w: k.free(0), lo: k.free(0), hi: k.free(1), tmp: k.free(1), start: AllocLocal(k.m.bytes())}
	o.read, o.added = e.rows()
	o.fields()
	Label("vector")
	o.vector()
	Label("span")
	o.span()
	Label("tile")
	o.tile()
	Label("next")
	o.advance()
	k.end()
}

// fields keeps what the loops advance.
func (o *walker) fields() {
	o.keep(o.at, walkB, "b")
	o.keep(o.at, walkVectors, "vectors")
	o.keepBytes(o.at, walkPixelC, "pixelC")
	o.keepBytes(o.at, walkSize, "size")
	o.load(walkFrom, o.left)
	o.keepAt(o.at, o.left, walkA, "a")
	o.load(walkTo, o.left)
	o.keepAt(o.at, o.left, walkC, "c")
	o.keepAt(o.at, o.left, walkZ, "z")
	MOVQ(U32(0), o.left)
	o.keepAt(o.at, o.left, walkBias, "bias")
	o.strides(walkPixelA)
	if o.end != writes {
		MOVQ(o.left, o.local("channel"))
	}
	if o.of() {
		o.load(walkX, fromC)
		o.load(walkTo, o.left)
		o.load(walkNextC, o.at)
		ADDQ(o.left, o.at)
		LEAQ(Mem{Base: fromC, Index: o.at, Scale: 4}, o.at)
		MOVQ(o.at, o.local("aheadX"))
		o.load(walkC, o.left)
		SUBQ(o.left, fromC)
	}
}

// vector begins a vector of channels: how many there are, and the rows of them.
func (o *walker) vector() {
	MOVQ(U32(uint32(o.m.lanes)), RCX)
	MOVQ(RCX, o.left)
	CMPQ(o.local("vectors"), U8(1))
	JNE(LabelRef("whole"))
	o.load(walkLast, RCX)
	o.load(walkNext, o.left)
	Label("whole")
	SHLQ(U8(2), o.left)
	MOVQ(o.left, o.local("ahead"))
	o.m.mask(RCX, RAX, o.local("mask"))
	o.channel(o.read, o.at, o.left, func(from Mem, row VecPhysical) { o.m.load(from, row) })
	o.channel(o.added, o.at, o.left, func(from Mem, row VecPhysical) { o.m.load(from, row) })
	o.m.zero(o.w)
	MOVQ(o.local("bias"), o.at)
	TESTQ(o.at, o.at)
	JZ(LabelRef("unbiased"))
	o.m.load(Mem{Base: o.at}, o.w)
	ADDQ(U8(o.m.bytes()), o.local("bias"))
	Label("unbiased")
	VMOVUPS(o.w, o.start)
	o.keep(o.at, walkSpans, "span")
	o.keep(o.at, walkSpans+8, "spans")
}

// span begins a span of pixels.
func (o *walker) span() {
	MOVQ(o.local("span"), o.left)
	MOVQ(Mem{Base: o.left, Disp: spanPixels}, o.at)
	MOVQ(o.at, o.local("pixels"))
	MOVQ(Mem{Base: o.left, Disp: spanA}, o.at)
	SHLQ(U8(2), o.at)
	ADDQ(o.local("a"), o.at)
	MOVQ(o.at, o.local("from"))
	MOVQ(Mem{Base: o.left, Disp: spanC}, o.at)
	MOVQ(o.local("c"), o.c)
	LEAQ(Mem{Base: o.c, Index: o.at, Scale: 4}, o.c)
	MOVQ(o.local("z"), o.z)
	TESTQ(o.z, o.z)
	JZ(LabelRef("tile"))
	LEAQ(Mem{Base: o.z, Index: o.at, Scale: 4}, o.z)
}

// tile takes as many pixels as a tile has, or are left, in the code of so many.
func (o *walker) tile() {
	MOVQ(o.local("span"), o.taps)
	MOVQ(Mem{Base: o.taps, Disp: spanStep}, o.step)
	MOVQ(o.local("pixels"), o.left)
	CMPQ(o.left, o.step)
	CMOVQLT(o.left, o.step)
	SUBQ(o.step, o.left)
	MOVQ(o.left, o.local("pixels"))
	VMOVUPS(o.start, o.sum(0, 0))
	o.dispatch("pixels", 1, o.kernel.rows)
	for n := o.kernel.rows; n >= 1; n-- {
		p := pixels{o, n}
		Label(p.label("pixels"))
		p.begin()
		p.fetch()
		p.multiply()
		p.finish()
		if n > 1 {
			JMP(LabelRef("next"))
		}
	}
}

// advance goes to the next tile, span or vector.
func (o *walker) advance() {
	MOVQ(o.local("z"), o.z)
	TESTQ(o.z, o.z)
	JZ(LabelRef("alone"))
	MOVQ(o.c, o.z)
	SUBQ(o.local("c"), o.z)
	ADDQ(o.local("z"), o.z)
	Label("alone")
	CMPQ(o.local("pixels"), U8(0))
	JNE(LabelRef("tile"))
	ADDQ(U8(spanBytes), o.local("span"))
	DECQ(o.local("spans"))
	JNZ(LabelRef("span"))

	o.channel(o.added, o.at, o.left, func(to Mem, row VecPhysical) { o.m.store(row, to, true) })
	if o.end != writes {
		ADDQ(U8(o.m.bytes()), o.local("channel"))
	}
	ADDQ(U8(o.m.bytes()), o.local("a"))
	ADDQ(U8(o.m.bytes()), o.local("c"))
	CMPQ(o.local("z"), U8(0))
	JEQ(LabelRef("advanced"))
	ADDQ(U8(o.m.bytes()), o.local("z"))
	Label("advanced")
	MOVQ(o.local("size"), o.at)
	ADDQ(o.at, o.local("b"))
	DECQ(o.local("vectors"))
	JNZ(LabelRef("vector"))
}
