// Package nets builds the networks that papers prune: ResNets, VGGs and
// MobileNets. Nodes are named so that their parameters carry torchvision's
// state-dict names (v1.5 ResNets: the stride sits on the 3×3 convolution), so
// published weights map one to one.
//
// Two things differ from a PyTorch file. Tensors are KRSC here, KCRS there. And
// a linear layer after a flatten reads features in HWC order here, in CHW order
// there, so its columns are permuted where files are read and written.
// Dropout is left out.
package nets

import (
	"fmt"
	"math"
	"strings"

	"mdp/engine/graph"
)

// Options change a network's published form; a zero field keeps it.
type Options struct {
	Classes int         // outputs of the last layer
	Input   graph.Shape // the image
	Width   float64     // multiplies the channels of every layer, (0, 16]
}

// Info describes a network in its published form.
type Info struct {
	Name        string
	Description string
	Input       graph.Shape
	Classes     int
}

// entry is one row of the zoo: what a network is called and how it is made.
type entry struct {
	Info
	build func(b *graph.Builder, o Options)
}

var (
	imageNet = graph.Shape{H: 224, W: 224, C: 3}
	cifar    = graph.Shape{H: 32, W: 32, C: 3}
)

// List describes every network that Build knows.
func List() []Info {
	infos := make([]Info, len(zoo))
	for i, e := range zoo {
		infos[i] = e.Info
	}
	return infos
}

// Build makes the network called name. The graph ends in its logits.
func Build(name string, opts Options) (*graph.Graph, error) {
	for _, e := range zoo {
		if e.Name != name {
			continue
		}
		if opts.Classes == 0 {
			opts.Classes = e.Classes
		}
		if opts.Input == (graph.Shape{}) {
			opts.Input = e.Input
		}
		if opts.Width == 0 {
			opts.Width = 1
		}
		if !(opts.Width > 0 && opts.Width <= 16) {
			return nil, fmt.Errorf("network %s: width multiplier %g must be above 0 and at most 16", name, opts.Width)
		}
		if opts.Classes < 1 {
			return nil, fmt.Errorf("network %s: %d classes, needs 1 or more", name, opts.Classes)
		}
		b := graph.NewBuilder(name, opts.Input)
		e.build(b, opts)
		return b.Build()
	}
	plain := strings.NewReplacer("-", "", "_", "")
	names := make([]string, len(zoo))
	for i, e := range zoo {
		if names[i] = e.Name; strings.EqualFold(plain.Replace(name), plain.Replace(e.Name)) {
			return nil, fmt.Errorf("no network is called %q; there is %s", name, e.Name)
		}
	}
	return nil, fmt.Errorf("no network is called %q; there are %s", name, strings.Join(names, ", "))
}

// scale is c channels under the width multiplier, at least one.
func (o Options) scale(c int) int { return max(1, int(math.Round(float64(c)*o.Width))) }

// square is a convolution whose kernel, stride and padding are the same both
// ways, padded to keep the extent at stride 1.
func square(out, kernel, stride int) graph.Conv2D {
	p := kernel / 2
	return graph.Conv2D{Out: out, Kernel: [2]int{kernel, kernel}, Stride: [2]int{stride, stride}, Pad: [4]int{p, p, p, p}}
}

// depthwise is a 3×3 convolution of each of the channels by itself.
func depthwise(channels, stride int) graph.Conv2D {
	c := square(channels, 3, stride)
	c.Groups = channels
	return c
}
