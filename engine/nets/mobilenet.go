package nets

import (
	"fmt"

	"mdp/engine/graph"
)

// mobileNetV1 is the network of arXiv 1704.04861, table 1. torchvision has none;
// the names follow its V2: features.0 is the stem, features.1 … features.13 hold
// the depthwise (0, 1, 2) and the pointwise (3, 4, 5) convolution, batch norm and
// ReLU. Widths are cut to whole channels, at least 8.
func mobileNetV1(b *graph.Builder, o Options) {
	width := func(c int) int { return max(8, int(float64(c)*o.Width)) }
	layer := func(prefix string, first int, in string, c graph.Conv2D) string {
		return convBNAct(b, prefix, first, in, graph.OpReLU, c)
	}
	channels := width(32)
	x := layer("features.0", 0, "input", square(channels, 3, 2))
	for i, l := range [13]struct{ out, stride int }{
		{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2},
		{512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1},
	} {
		prefix := fmt.Sprintf("features.%d", i+1)
		x = layer(prefix, 0, x, depthwise(channels, l.stride))
		channels = width(l.out)
		x = layer(prefix, 3, x, square(channels, 1, 1))
	}
	x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
	b.Linear("classifier.1", x, o.Classes)
}

// mobileNetV2 is torchvision's: inverted residuals of the widths and strides of
// arXiv 1801.04381, table 2, every width rounded to a multiple of 8.
func mobileNetV2(b *graph.Builder, o Options) {
	width := func(c int) int { return multipleOf8(float64(c) * o.Width) }
	channels := width(32)
	x := convBNAct(b, "features.0", 0, "input", graph.OpReLU6, square(channels, 3, 2))
	index := 1
	for _, l := range [7]struct{ expand, out, repeat, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for i := range l.repeat {
			stride := 1
			if i == 0 {
				stride = l.stride
			}
			out := width(l.out)
			x = invertedResidual(b, fmt.Sprintf("features.%d", index), x, channels, out, l.expand, stride)
			channels = out
			index++
		}
	}
	last := multipleOf8(1280 * max(1, o.Width)) // a thin network keeps its last layer
	x = convBNAct(b, fmt.Sprintf("features.%d", index), 0, x, graph.OpReLU6, square(last, 1, 1))
	x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
	b.Linear("classifier.1", x, o.Classes)
}

// invertedResidual widens (where expand > 1), convolves each channel by itself,
// and narrows without an activation; equal shapes are joined by a shortcut.
func invertedResidual(b *graph.Builder, prefix, in string, channels, out, expand, stride int) string {
	x, inner, n := in, channels*expand, 0
	part := func() string {
		n++
		return fmt.Sprintf("%s.conv.%d", prefix, n-1)
	}
	if expand > 1 {
		x = convBNAct(b, part(), 0, x, graph.OpReLU6, square(inner, 1, 1))
	}
	x = convBNAct(b, part(), 0, x, graph.OpReLU6, depthwise(inner, stride))
	x = b.Conv2D(part(), x, square(out, 1, 1))
	x = b.BatchNorm(part(), x)
	if stride == 1 && channels == out {
		x = b.Op(graph.OpAdd, prefix+".add", x, in)
	}
	return x
}

// convBNAct appends prefix.first, first+1 and first+2.
func convBNAct(b *graph.Builder, prefix string, first int, in string, act graph.Op, c graph.Conv2D) string {
	name := func(i int) string { return fmt.Sprintf("%s.%d", prefix, first+i) }
	x := b.Conv2D(name(0), in, c)
	x = b.BatchNorm(name(1), x)
	return b.Op(act, name(2), x)
}

// multipleOf8 rounds to the nearest multiple of 8, at least 8, never losing more
// than a tenth (torchvision's _make_divisible).
func multipleOf8(v float64) int {
	n := max(8, int(v+4)/8*8)
	if float64(n) < 0.9*v {
		n += 8
	}
	return n
}
