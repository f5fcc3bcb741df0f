package nets

import (
	"fmt"

	"mdp/engine/graph"
)

// block appends one residual block named prefix that reads in and whose inner
// width is planes, and returns its last node. A projection shortcut, where
// project asks for one, is prefix.downsample.
type block func(b *graph.Builder, prefix, in string, planes, stride int, project bool) string

// resnet is torchvision's ResNet: a 7×7 stem, a 3×3 max pool and four stages of
// the given depths.
func resnet(blk block, depths ...int) func(*graph.Builder, Options) {
	return func(b *graph.Builder, o Options) {
		x := convBNReLU(b, "", 1, "input", square(o.scale(64), 7, 2))
		x = b.Pool(graph.OpMaxPool, "maxpool", x, graph.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}})
		x = stages(b, x, blk, o.scale(64), depths)
		x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
		b.Linear("fc", x, o.Classes)
	}
}

// cifarResNet is section 4.2 of arXiv 1512.03385: a 3×3 stem of 16 channels and
// three stages of (depth−2)/6 basic blocks. Where the paper pads a stage's
// first shortcut with zeros, this one projects it, as the ImageNet ResNets do.
func cifarResNet(depth int) func(*graph.Builder, Options) {
	n := (depth - 2) / 6
	return func(b *graph.Builder, o Options) {
		x := convBNReLU(b, "", 1, "input", square(o.scale(16), 3, 1))
		x = stages(b, x, basic, o.scale(16), []int{n, n, n})
		x = b.Op(graph.OpGlobalAvgPool, "avgpool", x)
		b.Linear("fc", x, o.Classes)
	}
}

// stages appends layer1, layer2, …; each but the first halves the image and
// doubles the channels. The first block of a stage projects its shortcut, save
// in a first stage of basic blocks, where the shapes already agree.
func stages(b *graph.Builder, x string, blk block, planes int, depths []int) string {
	for s, depth := range depths {
		for i := range depth {
			stride := 1
			if s > 0 && i == 0 {
				stride = 2
			}
			x = blk(b, fmt.Sprintf("layer%d.%d", s+1, i), x, planes<<s, stride, i == 0)
		}
	}
	return x
}

func basic(b *graph.Builder, prefix, in string, planes, stride int, project bool) string {
	p := prefix + "."
	x := convBNReLU(b, p, 1, in, square(planes, 3, stride))
	x = b.Conv2D(p+"conv2", x, square(planes, 3, 1))
	x = b.BatchNorm(p+"bn2", x)
	return join(b, p, x, in, planes, stride, project && stride > 1)
}

func bottleneck(b *graph.Builder, prefix, in string, planes, stride int, project bool) string {
	p := prefix + "."
	x := convBNReLU(b, p, 1, in, square(planes, 1, 1))
	x = convBNReLU(b, p, 2, x, square(planes, 3, stride))
	x = b.Conv2D(p+"conv3", x, square(4*planes, 1, 1))
	x = b.BatchNorm(p+"bn3", x)
	return join(b, p, x, in, 4*planes, stride, project)
}

// join adds the shortcut from in to the branch x.
func join(b *graph.Builder, p, x, in string, out, stride int, project bool) string {
	if project {
		in = b.Conv2D(p+"downsample.0", in, square(out, 1, stride))
		in = b.BatchNorm(p+"downsample.1", in)
	}
	x = b.Op(graph.OpAdd, p+"add", x, in)
	return b.Op(graph.OpReLU, p+"relu", x)
}

// convBNReLU appends prefix+"convN", "bnN" and "reluN"; the stem's activation,
// alone in its place, is called "relu".
func convBNReLU(b *graph.Builder, prefix string, n int, in string, c graph.Conv2D) string {
	x := b.Conv2D(fmt.Sprintf("%sconv%d", prefix, n), in, c)
	x = b.BatchNorm(fmt.Sprintf("%sbn%d", prefix, n), x)
	if prefix == "" {
		return b.Op(graph.OpReLU, "relu", x)
	}
	return b.Op(graph.OpReLU, fmt.Sprintf("%srelu%d", prefix, n), x)
}
