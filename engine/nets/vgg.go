package nets

import (
	"fmt"

	"mdp/engine/graph"
)

// vgg is torchvision's VGG with batch norm: five rounds of 3×3 convolutions, each
// ended by a 2×2 max pool, then three linear layers.
//
// The classifier wants 7×7 features, which an image of 224×224 gives. Features
// whose extents are multiples of 7 are averaged down to 7×7 as torchvision's
// adaptive pooling does; any others, a small image's, are averaged to 1×1 and
// the first linear layer is that much narrower. The least image is 32×32.
func vgg(depths ...int) func(*graph.Builder, Options) {
	return func(b *graph.Builder, o Options) {
		x, index := "input", 0
		next := func() string {
			index++
			return fmt.Sprintf("features.%d", index-1)
		}
		h, w := o.Input.H, o.Input.W
		for round, depth := range depths {
			for range depth {
				c := square(o.scale(64<<min(round, 3)), 3, 1)
				c.Bias = true
				x = b.Conv2D(next(), x, c)
				x = b.BatchNorm(next(), x)
				x = b.Op(graph.OpReLU, next(), x)
			}
			x = b.Pool(graph.OpMaxPool, next(), x, graph.Pool{Kernel: [2]int{2, 2}})
			h, w = h/2, w/2
		}
		switch {
		case h == 7 && w == 7:
		case h%7 == 0 && w%7 == 0:
			x = b.Pool(graph.OpAvgPool, "avgpool", x, graph.Pool{Kernel: [2]int{h / 7, w / 7}})
		default:
			x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
		}
		x = b.Op(graph.OpFlatten, "flatten", x)
		x = b.Linear("classifier.0", x, o.scale(4096))
		x = b.Op(graph.OpReLU, "classifier.1", x)
		x = b.Linear("classifier.3", x, o.scale(4096))
		x = b.Op(graph.OpReLU, "classifier.4", x)
		b.Linear("classifier.6", x, o.Classes)
	}
}
