package nets

import (
	"fmt"

	"mdp/engine/graph"
)

// bneck is a row of arXiv 1905.02244's tables 1 and 2.
type bneck struct {
	kernel, expanded, out int
	excite                bool
	act                   graph.Op
	stride                int
}

const (
	re = graph.OpReLU
	hs = graph.OpHardSwish
)

var (
	mobileNetV3Large = mobileNetV3(1280, []bneck{
		{3, 16, 16, false, re, 1},
		{3, 64, 24, false, re, 2}, {3, 72, 24, false, re, 1},
		{5, 72, 40, true, re, 2}, {5, 120, 40, true, re, 1}, {5, 120, 40, true, re, 1},
		{3, 240, 80, false, hs, 2}, {3, 200, 80, false, hs, 1}, {3, 184, 80, false, hs, 1}, {3, 184, 80, false, hs, 1},
		{3, 480, 112, true, hs, 1}, {3, 672, 112, true, hs, 1},
		{5, 672, 160, true, hs, 2}, {5, 960, 160, true, hs, 1}, {5, 960, 160, true, hs, 1},
	})
	mobileNetV3Small = mobileNetV3(1024, []bneck{
		{3, 16, 16, true, re, 2},
		{3, 72, 24, false, re, 2}, {3, 88, 24, false, re, 1},
		{5, 96, 40, true, hs, 2}, {5, 240, 40, true, hs, 1}, {5, 240, 40, true, hs, 1},
		{5, 120, 48, true, hs, 1}, {5, 144, 48, true, hs, 1},
		{5, 288, 96, true, hs, 2}, {5, 576, 96, true, hs, 1}, {5, 576, 96, true, hs, 1},
	})
)

// mobileNetV3 is torchvision's: every width rounded to a multiple of 8, batch norm
// with eps 0.001, squeezed to a quarter of what is excited.
func mobileNetV3(last int, rows []bneck) func(*graph.Builder, Options) {
	return func(b *graph.Builder, o Options) {
		width := func(c int) int { return multipleOf8(float64(c) * o.Width) }
		norm := graph.BatchNorm{Eps: 1e-3, Momentum: 0.01}
		channels := width(16)
		x := convNormAct(b, "features.0", "input", norm, hs, square(channels, 3, 2))
		for i, r := range rows {
			in, expanded, prefix, n := x, width(r.expanded), fmt.Sprintf("features.%d", i+1), 0
			part := func() string {
				n++
				return fmt.Sprintf("%s.block.%d", prefix, n-1)
			}
			if expanded != channels {
				x = convNormAct(b, part(), x, norm, r.act, square(expanded, 1, 1))
			}
			dw := square(expanded, r.kernel, r.stride)
			dw.Groups = expanded
			x = convNormAct(b, part(), x, norm, r.act, dw)
			if r.excite {
				x = excite(b, part(), x, expanded, multipleOf8(float64(expanded/4)), graph.OpReLU, graph.OpHardSigmoid)
			}
			x = convNormAct(b, part(), x, norm, none, square(width(r.out), 1, 1))
			if r.stride == 1 && channels == width(r.out) {
				x = b.Op(graph.OpAdd, prefix+".add", x, in)
			}
			channels = width(r.out)
		}
		x = convNormAct(b, fmt.Sprintf("features.%d", len(rows)+1), x, norm, hs, square(6*channels, 1, 1))
		x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
		x = b.Op(hs, "classifier.1", b.Linear("classifier.0", x, width(last)))
		b.Linear("classifier.3", x, o.Classes)
	}
}
