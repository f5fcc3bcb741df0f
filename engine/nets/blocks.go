package nets

import "mdp/engine/graph"

// none is no activation.
const none graph.Op = ""

// norm is PyTorch's batch norm unless a network says otherwise.
var norm = graph.BatchNorm{Eps: 1e-5, Momentum: 0.1}

// convNormAct appends torchvision's Conv2dNormActivation: prefix.0 the convolution,
// prefix.1 the batch norm, prefix.2 the activation, if there is one.
func convNormAct(b *graph.Builder, prefix, in string, norm graph.BatchNorm, act graph.Op, c graph.Conv2D) string {
	x := b.Norm(prefix+".1", b.Conv2D(prefix+".0", in, c), norm)
	if act == none {
		return x
	}
	return b.Op(act, prefix+".2", x)
}

// excite appends torchvision's SqueezeExcitation: x times a gate for each channel,
// which two layers make of the channels' means (arXiv 1709.01507).
func excite(b *graph.Builder, prefix, x string, channels, squeezed int, act, gate graph.Op) string {
	one := func(out int) graph.Conv2D {
		c := square(out, 1, 1)
		c.Bias = true
		return c
	}
	s := b.Op(graph.OpGlobalAvgPool, prefix+".avgpool", x)
	s = b.Op(act, prefix+".activation", b.Conv2D(prefix+".fc1", s, one(squeezed)))
	s = b.Conv2D(prefix+".fc2", s, one(channels))
	if gate == graph.OpHardSigmoid {
		s = b.HardSigmoid(prefix+".scale_activation", s)
	} else {
		s = b.Op(gate, prefix+".scale_activation", s)
	}
	return b.Op(graph.OpMul, prefix+".mul", x, s)
}
