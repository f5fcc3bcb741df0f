package nets

import (
	"fmt"
	"math"

	"mdp/engine/graph"
)

// regNetY400MF is torchvision's regnet_y_400mf: bottlenecks of grouped convolutions,
// 8 channels to a group, with squeeze-excitation (arXiv 2003.13678). Widths are
// rounded to whole groups.
func regNetY400MF(b *graph.Builder, o Options) {
	const groupWidth = 8
	channels := multipleOf8(32 * o.Width)
	x := convNormAct(b, "stem", "input", norm, graph.OpReLU, square(channels, 3, 2))
	for i, s := range []struct{ out, layers int }{{48, 1}, {104, 3}, {208, 6}, {440, 6}} {
		out := multipleOf8(float64(s.out) * o.Width)
		for j := range s.layers {
			prefix, shortcut, stride := fmt.Sprintf("trunk_output.block%d.block%d-%d", i+1, i+1, j), x, 1
			if j == 0 {
				stride = 2
				shortcut = convNormAct(b, prefix+".proj", x, norm, none, square(out, 1, stride))
			}
			grouped := square(out, 3, stride)
			grouped.Groups = out / groupWidth
			x = convNormAct(b, prefix+".f.a", x, norm, graph.OpReLU, square(out, 1, 1))
			x = convNormAct(b, prefix+".f.b", x, norm, graph.OpReLU, grouped)
			x = excite(b, prefix+".f.se", x, out, int(math.RoundToEven(0.25*float64(channels))), graph.OpReLU, graph.OpSigmoid)
			x = convNormAct(b, prefix+".f.c", x, norm, none, square(out, 1, 1))
			x = b.Op(graph.OpReLU, prefix+".activation", b.Op(graph.OpAdd, prefix+".add", shortcut, x))
			channels = out
		}
	}
	x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
	b.Linear("fc", x, o.Classes)
}
