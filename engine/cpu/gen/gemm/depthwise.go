package main

import (
	"fmt"
	"maps"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The fields of package cpu's walk, span, products and rect, in order, as byte offsets.
const (
	walkA, walkB, walkC, walkZ, walkBias = 0, 24, 48, 72, 96
	walkSpans, walkFrom, walkTo          = 120, 144, 152
	walkVectors, walkLast, walkSize      = 160, 168, 176
	walkPixelA, walkPixelC, walkNext     = 184, 192, 200
	walkStream                           = 208
	walkLo, walkHi                       = 212, 216
	walkX, walkMean, walkScale, walkBeta = 224, 248, 272, 296
	walkShift, walkSlope                 = 320, 344
	walkSumG, walkSumX, walkNextC        = 368, 392, 416

	spanPixels, spanStep, spanA, spanC = 0, 8, 16, 24
	spanTaps, spanAhead, spanBytes     = 32, 56, 80

	productsA, productsB, productsC, productsRects = 0, 24, 48, 72
	productsFrom, productsTo                       = 96, 104
	productsVectors, productsLast, productsSize    = 112, 120, 128
	productsRowA, productsRowB                     = 136, 144
	productsPixelA, productsPixelB                 = 152, 160
	productsNextA, productsNextB, productsStrided  = 168, 176, 184

	rectRows, rectCols, rectA, rectB, rectTaps, rectBytes = 0, 8, 16, 24, 32, 56
)

// tapsMost is how many taps' sums and addresses the filter's gradient has in registers.
const tapsMost = 9

// each writes a loop that counts a variable down to zero.
func each(label string, count Op, body func()) {
	Label(label)
	body()
	DECQ(count)
	JNZ(LabelRef(label))
}

// keepBytes copies a field that counts elements to a variable that counts bytes.
func (k *kernel) keepBytes(by GPPhysical, field int, name string) {
	k.load(field, by)
	SHLQ(U8(2), by)
	MOVQ(by, k.local(name))
}

// keepAt copies a field that points to memory, moved by elements; nil stays so.
func (k *kernel) keepAt(by, distance GPPhysical, field int, name string) {
	k.load(field, by)
	TESTQ(by, by)
	JZ(LabelRef("no_" + name))
	LEAQ(Mem{Base: by, Index: distance, Scale: 4}, by)
	Label("no_" + name)
	MOVQ(by, k.local(name))
}

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

// walk writes walkGeneric's loop, or one that ends otherwise.
func (k *kernel) walk(e end) {
	k.start(append([]string{
		"for v < vectors, s in spans, i < s.pixels, j = v·lanes + l, l < lanes, where there is such a channel, … = to + s.c + i·pixelC + j:",
		"  sum = bias[j] + z[…]",
		"  sum += Σ over t in s.taps of a[from + s.a + i·pixelA + t.a + j] · b[v·size + t.b + l]",
	}, e.loop()...)...)
	read, added := e.rows()
	z, taps, n, b, at, c := RSI, R8, R9, RSI, RCX, RDX
	w, lo, hi, tmp := k.free(0), k.free(0), k.free(1), k.free(1)
	start := AllocLocal(k.m.bytes())
	k.keep(at, walkB, "b")
	k.keep(at, walkVectors, "vectors")
	k.keepBytes(at, walkPixelC, "pixelC")
	k.keepBytes(at, walkSize, "size")
	k.load(walkFrom, n)
	k.keepAt(at, n, walkA, "a")
	k.load(walkTo, n)
	k.keepAt(at, n, walkC, "c")
	k.keepAt(at, n, walkZ, "z")
	MOVQ(U32(0), n)
	k.keepAt(at, n, walkBias, "bias")
	k.strides(walkPixelA)
	if e != writes {
		MOVQ(n, k.local("channel"))
	}
	if e.of() {
		k.load(walkX, fromC)
		k.load(walkTo, n)
		k.load(walkNextC, at)
		ADDQ(n, at)
		LEAQ(Mem{Base: fromC, Index: at, Scale: 4}, at)
		MOVQ(at, k.local("aheadX"))
		k.load(walkC, n)
		SUBQ(n, fromC)
	}

	Label("vector")
	MOVQ(U32(uint32(k.m.lanes)), RCX)
	MOVQ(RCX, n)
	CMPQ(k.local("vectors"), U8(1))
	JNE(LabelRef("whole"))
	k.load(walkLast, RCX)
	k.load(walkNext, n)
	Label("whole")
	SHLQ(U8(2), n)
	MOVQ(n, k.local("ahead"))
	k.m.mask(RCX, RAX, k.local("mask"))
	k.channel(read, at, n, func(from Mem, row VecPhysical) { k.m.load(from, row) })
	k.channel(added, at, n, func(from Mem, row VecPhysical) { k.m.load(from, row) })
	k.m.zero(w)
	MOVQ(k.local("bias"), at)
	TESTQ(at, at)
	JZ(LabelRef("unbiased"))
	k.m.load(Mem{Base: at}, w)
	ADDQ(U8(k.m.bytes()), k.local("bias"))
	Label("unbiased")
	VMOVUPS(w, start)
	k.keep(at, walkSpans, "span")
	k.keep(at, walkSpans+8, "spans")

	Label("span")
	MOVQ(k.local("span"), n)
	MOVQ(Mem{Base: n, Disp: spanPixels}, at)
	MOVQ(at, k.local("pixels"))
	MOVQ(Mem{Base: n, Disp: spanA}, at)
	SHLQ(U8(2), at)
	ADDQ(k.local("a"), at)
	MOVQ(at, k.local("from"))
	MOVQ(Mem{Base: n, Disp: spanC}, at)
	MOVQ(k.local("c"), c)
	LEAQ(Mem{Base: c, Index: at, Scale: 4}, c)
	MOVQ(k.local("z"), z)
	TESTQ(z, z)
	JZ(LabelRef("tile"))
	LEAQ(Mem{Base: z, Index: at, Scale: 4}, z)

	Label("tile")
	MOVQ(k.local("span"), taps)
	MOVQ(Mem{Base: taps, Disp: spanStep}, k.step)
	MOVQ(k.local("pixels"), n)
	CMPQ(n, k.step)
	CMOVQLT(n, k.step)
	SUBQ(k.step, n)
	MOVQ(n, k.local("pixels"))
	VMOVUPS(start, k.sum(0, 0))
	k.dispatch("pixels", 1, k.rows)
	for pixels := k.rows; pixels >= 1; pixels-- {
		k.walkTile(e, pixels, z, taps, n, b, at, c, start, w, lo, hi, tmp)
		if pixels > 1 {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	MOVQ(k.local("z"), z)
	TESTQ(z, z)
	JZ(LabelRef("alone"))
	MOVQ(c, z)
	SUBQ(k.local("c"), z)
	ADDQ(k.local("z"), z)
	Label("alone")
	CMPQ(k.local("pixels"), U8(0))
	JNE(LabelRef("tile"))
	ADDQ(U8(spanBytes), k.local("span"))
	DECQ(k.local("spans"))
	JNZ(LabelRef("span"))

	k.channel(added, at, n, func(to Mem, row VecPhysical) { k.m.store(row, to, true) })
	if e != writes {
		ADDQ(U8(k.m.bytes()), k.local("channel"))
	}
	ADDQ(U8(k.m.bytes()), k.local("a"))
	ADDQ(U8(k.m.bytes()), k.local("c"))
	CMPQ(k.local("z"), U8(0))
	JEQ(LabelRef("advanced"))
	ADDQ(U8(k.m.bytes()), k.local("z"))
	Label("advanced")
	MOVQ(k.local("size"), at)
	ADDQ(at, k.local("b"))
	DECQ(k.local("vectors"))
	JNZ(LabelRef("vector"))
	k.end()
}

// walkTile writes a tile of so many pixels.
func (k *kernel) walkTile(e end, pixels int, z, taps, n, b, at, c GPPhysical, start Mem, w, lo, hi, tmp VecPhysical) {
	label := func(s string) string { return fmt.Sprint(s, pixels) }
	from := k.step
	// point has the base registers reach the tile's pixels, a distance away.
	point := func(further func()) {
		LEAQ(Mem{Base: from, Index: at, Scale: 4}, k.base[0])
		further()
		if pixels > perBase {
			LEAQ(Mem{Base: k.base[0], Index: k.s1, Scale: 8}, k.base[1])
			ADDQ(k.s1, k.base[1])
		}
	}
	Label(label("pixels"))
	MOVQ(k.local("from"), from)
	for i := 1; i < pixels; i++ {
		VMOVAPS(k.sum(0, 0), k.sum(i, 0))
	}
	TESTQ(z, z)
	JZ(LabelRef(label("bare")))
	MOVQ(k.local("pixelC"), at)
	for i := range pixels {
		k.m.add(Mem{Base: z}, k.sum(i, 0), tmp, true)
		if i < pixels-1 {
			ADDQ(at, z)
		}
	}
	Label(label("bare"))
	MOVQ(Mem{Base: taps, Disp: spanAhead + 8}, n)
	MOVQ(Mem{Base: taps, Disp: spanAhead}, b)
	TESTQ(n, n)
	JZ(LabelRef(label("fetched")))
	each(label("ahead"), n, func() {
		MOVQ(Mem{Base: b}, at)
		ADDQ(U8(8), b)
		point(func() { ADDQ(k.local("ahead"), k.base[0]) })
		for i := range pixels {
			PREFETCHT0(k.row(i))
		}
	})
	Label(label("fetched"))
	MOVQ(k.local("b"), b)
	MOVQ(Mem{Base: taps, Disp: spanTaps + 8}, n)
	MOVQ(Mem{Base: taps, Disp: spanTaps}, taps)
	TESTQ(n, n)
	JZ(LabelRef(label("store")))
	each(label("tap"), n, func() {
		MOVQ(Mem{Base: taps}, at)
		point(func() {})
		MOVQ(Mem{Base: taps, Disp: 8}, at)
		ADDQ(U8(16), taps)
		k.m.move(Mem{Base: b, Index: at, Scale: 4}, w)
		for i := range pixels {
			k.m.multiply(k.row(i), w, k.sum(i, 0), tmp)
		}
	})
	Label(label("store"))
	MOVQ(U32(uint32(pixels)), at)
	IMULQ(k.s1, at)
	ADDQ(at, k.local("from"))
	VBROADCASTSS(Mem{Base: k.t, Disp: walkLo}, lo)
	VBROADCASTSS(Mem{Base: k.t, Disp: walkHi}, hi)
	if !e.of() {
		for i := range pixels {
			// A NaN comes out as a NaN: of two operands, max and min return the first one here.
			VMAXPS(k.sum(i, 0), lo, k.sum(i, 0))
			VMINPS(k.sum(i, 0), hi, k.sum(i, 0))
		}
	}
	if e == moments {
		for i := range pixels {
			VSUBPS(ofMean, k.sum(i, 0), ofD)
			VADDPS(ofD, ofSumG, ofSumG)
			VFMADD231PS(ofD, ofD, ofSumX)
		}
	}
	MOVQ(k.local("pixelC"), n)
	if e.of() {
		MOVQ(k.local("aheadX"), taps)
		ADDQ(U32(uint32(k.m.bytes()*pixels)), k.local("aheadX"))
	}
	put := func(store func(i int)) {
		for i := range pixels {
			if e.of() {
				k.gradient(k.sum(i, 0), Mem{Base: c, Index: fromC, Scale: 1}, lo, hi)
				PREFETCHT0(Mem{Base: c, Index: fromC, Scale: 1, Disp: k.m.bytes()})
				PREFETCHT1(Mem{Base: taps, Disp: k.m.bytes() * i})
			}
			if e == input {
				VSUBPS(ofShift, k.sum(i, 0), k.sum(i, 0))
				VFNMADD231PS(ofSlope, ofD, k.sum(i, 0))
				VMULPS(ofScale, k.sum(i, 0), k.sum(i, 0))
			}
			store(i)
			ADDQ(n, c)
		}
	}
	if e == gradients {
		put(func(i int) {
			VADDPS(k.sum(i, 0), ofSumG, ofSumG)
			VFMADD231PS(k.sum(i, 0), ofD, ofSumX)
		})
		return
	}
	if k.m.lanes == 16 {
		CMPB(Mem{Base: k.t, Disp: walkStream}, U8(0))
		JEQ(LabelRef(label("cached")))
		put(func(i int) { VMOVNTPS(k.sum(i, 0), Mem{Base: c}) })
		JMP(LabelRef("next"))
		Label(label("cached"))
	}
	put(func(i int) { k.m.store(k.sum(i, 0), Mem{Base: c}, true) })
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

// products writes productsGeneric's loop.
func (k *kernel) products() {
	k.start(
		"for v < vectors, r in rects, t in r.taps, l < lanes, where there is such a channel, j = v·lanes + l:",
		"  c[v·size + t.b + l] += Σ over y < r.rows, x < r.cols of",
		"    a[from + r.a + y·rowA + x·pixelA + t.a + j] · b[to + r.b + y·rowB + x·pixelB + j]",
	)
	taps := [tapsMost]GPPhysical{RAX, RBX, RDX, RSI, R8, R9, R10, R11, R12}
	a, b, left, aheadA, aheadB := RDI, R13, RCX, R14, R15
	k.keep(b, productsC, "c")
	k.keep(b, productsVectors, "vectors")
	for _, f := range []struct {
		field int
		name  string
	}{{productsRowA, "rowA"}, {productsRowB, "rowB"}, {productsPixelA, "pixelA"}, {productsPixelB, "pixelB"}, {productsSize, "size"}} {
		k.keepBytes(b, f.field, f.name)
	}
	k.load(productsFrom, left)
	k.keepAt(b, left, productsA, "a")
	k.load(productsTo, left)
	k.keepAt(b, left, productsB, "b")

	Label("vector")
	MOVQ(NewParamAddr("t", 0), k.t)
	MOVQ(U32(uint32(k.m.lanes)), RCX)
	MOVQ(RCX, aheadA)
	MOVQ(RCX, aheadB)
	CMPQ(k.local("vectors"), U8(1))
	JNE(LabelRef("whole"))
	k.load(productsLast, RCX)
	k.load(productsNextA, aheadA)
	k.load(productsNextB, aheadB)
	Label("whole")
	SHLQ(U8(2), aheadA)
	MOVQ(aheadA, k.local("aheadA"))
	k.m.mask(RCX, RAX, k.local("mask"))
	k.keep(b, productsRects, "rect")
	k.keep(b, productsRects+8, "rects")

	Label("rect")
	MOVQ(NewParamAddr("t", 0), k.t)
	MOVQ(k.local("rect"), b)
	for _, f := range []struct {
		field int
		name  string
	}{{rectRows, "rows"}, {rectCols, "cols"}} {
		MOVQ(Mem{Base: b, Disp: f.field}, left)
		MOVQ(left, k.local(f.name))
	}
	for _, f := range []struct {
		field    int
		name, of string
	}{{rectA, "a", "rowsA"}, {rectB, "b", "rowsB"}} {
		MOVQ(Mem{Base: b, Disp: f.field}, left)
		SHLQ(U8(2), left)
		ADDQ(k.local(f.name), left)
		MOVQ(left, k.local(f.of))
	}
	MOVQ(Mem{Base: b, Disp: rectTaps + 8}, left)
	MOVQ(Mem{Base: b, Disp: rectTaps}, b)
	k.step = left
	k.dispatch("taps", 1, tapsMost)
	for n := tapsMost; n >= 1; n-- {
		label := func(s string) string { return fmt.Sprint(s, n) }
		Label(label("taps"))
		for i := range n {
			MOVQ(Mem{Base: b, Disp: 16 * i}, taps[i])
			k.m.zero(k.sum(i, 0))
		}
		rows := func(name string, ahead ...int) {
			each(label(name+"row"), k.local("rows"), func() {
				MOVQ(k.local("rowsA"), a)
				MOVQ(k.local("aheadA"), aheadA)
				ADDQ(a, aheadA)
				MOVQ(k.local("rowsB"), b)
				MOVQ(k.local("cols"), left)
				each(label(name+"column"), left, func() {
					k.m.load(Mem{Base: b}, k.factor(0))
					PREFETCHT0(Mem{Base: b, Index: aheadB, Scale: 4})
					for _, i := range ahead {
						PREFETCHT0(Mem{Base: aheadA, Index: taps[i], Scale: 4})
					}
					ADDQ(k.local("pixelB"), b)
					for i := range n {
						k.m.multiply(Mem{Base: a, Index: taps[i], Scale: 4}, k.factor(0), k.sum(i, 0), k.broadcast(i))
					}
					ADDQ(k.local("pixelA"), a)
					ADDQ(k.local("pixelA"), aheadA)
				})
				MOVQ(k.local("rowA"), a)
				MOVQ(k.local("rowB"), b)
				ADDQ(a, k.local("rowsA"))
				ADDQ(b, k.local("rowsB"))
			})
		}
		if n == tapsMost { // of 3×3 taps with stride 2, four are of pixels that no other reads but those beside
			CMPB(Mem{Base: k.t, Disp: productsStrided}, U8(0))
			JEQ(LabelRef("dense"))
			rows("strided_", 4, 5, 7, 8)
			JMP(LabelRef("summed"))
			Label("dense")
		}
		rows("", n-1)
		if n == tapsMost {
			Label("summed")
		}
		MOVQ(k.local("rect"), a)
		MOVQ(Mem{Base: a, Disp: rectTaps}, a)
		MOVQ(k.local("c"), b)
		for i := range n {
			MOVQ(Mem{Base: a, Disp: 16*i + 8}, left)
			to := Mem{Base: b, Index: left, Scale: 4}
			VADDPS(to, k.sum(i, 0), k.sum(i, 0))
			VMOVUPS(k.sum(i, 0), to)
		}
		if n > 1 {
			JMP(LabelRef("next"))
		}
	}
	Label("next")
	ADDQ(U8(rectBytes), k.local("rect"))
	DECQ(k.local("rects"))
	JNZ(LabelRef("rect"))
	ADDQ(U8(k.m.bytes()), k.local("a"))
	ADDQ(U8(k.m.bytes()), k.local("b"))
	MOVQ(k.local("size"), left)
	ADDQ(left, k.local("c"))
	DECQ(k.local("vectors"))
	JNZ(LabelRef("vector"))
	k.end()
}
