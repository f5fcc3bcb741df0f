package nets

import (
	"fmt"

	"mdp/engine/graph"
)

// efficientNetB0 is torchvision's: MBConv blocks of arXiv 1905.11946, table 1, every
// width rounded to a multiple of 8, squeezed to a quarter of what the block reads.
func efficientNetB0(b *graph.Builder, o Options) {
	const silu = graph.OpSiLU
	width := func(c int) int { return multipleOf8(float64(c) * o.Width) }
	channels := width(32)
	x := convNormAct(b, "features.0", "input", norm, silu, square(channels, 3, 2))
	stages := []struct{ expand, kernel, stride, out, layers int }{
		{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2}, {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3}, {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1},
	}
	for i, s := range stages {
		for j := range s.layers {
			in, expanded, stride, prefix, n := x, multipleOf8(float64(channels*s.expand)), 1, fmt.Sprintf("features.%d.%d", i+1, j), 0
			if j == 0 {
				stride = s.stride
			}
			part := func() string {
				n++
				return fmt.Sprintf("%s.block.%d", prefix, n-1)
			}
			if expanded != channels {
				x = convNormAct(b, part(), x, norm, silu, square(expanded, 1, 1))
			}
			dw := square(expanded, s.kernel, stride)
			dw.Groups = expanded
			x = convNormAct(b, part(), x, norm, silu, dw)
			x = excite(b, part(), x, expanded, max(1, channels/4), silu, graph.OpSigmoid)
			x = convNormAct(b, part(), x, norm, none, square(width(s.out), 1, 1))
			if stride == 1 && channels == width(s.out) {
				x = b.Op(graph.OpAdd, prefix+".add", x, in)
			}
			channels = width(s.out)
		}
	}
	x = convNormAct(b, fmt.Sprintf("features.%d", len(stages)+1), x, norm, silu, square(4*channels, 1, 1))
	x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
	b.Linear("classifier.1", x, o.Classes)
}
