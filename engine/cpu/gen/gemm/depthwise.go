package main

import (
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
