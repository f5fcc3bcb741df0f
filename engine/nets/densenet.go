package nets

import (
	"fmt"

	"mdp/engine/graph"
)

// denseNet121 is torchvision's: layers that each add 32 channels to all that stand
// before them in their block (arXiv 1608.06993).
func denseNet121(b *graph.Builder, o Options) {
	growth, channels := o.scale(32), o.scale(64)
	x := b.Conv2D("features.conv0", "input", square(channels, 7, 2))
	x = b.Op(graph.OpReLU, "features.relu0", b.BatchNorm("features.norm0", x))
	x = b.Pool(graph.OpMaxPool, "features.pool0", x, graph.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}})
	normReLUConv := func(prefix, n, in string, c graph.Conv2D) string {
		x := b.Op(graph.OpReLU, prefix+".relu"+n, b.BatchNorm(prefix+".norm"+n, in))
		return b.Conv2D(prefix+".conv"+n, x, c)
	}
	blocks := []int{6, 12, 24, 16}
	for i, layers := range blocks {
		for j := range layers {
			prefix := fmt.Sprintf("features.denseblock%d.denselayer%d", i+1, j+1)
			y := normReLUConv(prefix, "1", x, square(4*growth, 1, 1))
			y = normReLUConv(prefix, "2", y, square(growth, 3, 1))
			x = b.Op(graph.OpConcat, prefix+".concat", x, y)
			channels += growth
		}
		if i < len(blocks)-1 {
			prefix := fmt.Sprintf("features.transition%d", i+1)
			channels = max(1, channels/2)
			x = normReLUConv(prefix, "", x, square(channels, 1, 1))
			x = b.Pool(graph.OpAvgPool, prefix+".pool", x, graph.Pool{Kernel: [2]int{2, 2}})
		}
	}
	x = b.Op(graph.OpReLU, "relu", b.BatchNorm("features.norm5", x))
	x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
	b.Linear("classifier", x, o.Classes)
}
