package pytorch

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mdp/engine/graph"
)

// forward are the lines that compute the network.
func (s *source) forward() []string {
	var lines []string
	for i := range s.g.Len() {
		if i == 0 {
			if s.name[0] = s.variable(0); s.name[0] != "x" {
				lines = append(lines, s.name[0]+" = x")
			}
			continue
		}
		value := s.value(i)
		s.name[i] = s.variable(i)
		lines = append(lines, s.name[i]+" = "+value)
	}
	return append(lines, "return x")
}

// value is the expression of node i.
func (s *source) value(i int) string {
	n := s.g.Node(i)
	in := s.inputs(i)
	x := in[0]
	switch n.Op {
	case graph.OpConv2D:
		if _, ok := symmetric(n.Conv2D.Pad); !ok {
			x = pad(x, n.Conv2D.Pad, "")
		}
		return s.call(n.Name, x)
	case graph.OpLinear, graph.OpBatchNorm, graph.OpScale:
		return s.call(n.Name, x)
	case graph.OpReLU:
		return "F.relu(" + x + ")"
	case graph.OpReLU6:
		return "F.relu6(" + x + ")"
	case graph.OpSigmoid:
		return "torch.sigmoid(" + x + ")"
	case graph.OpHardSigmoid:
		if a, b := n.HardSigmoid.Alpha, n.HardSigmoid.Beta; math.Abs(a-1./6) > 1e-7 || b != 0.5 {
			return fmt.Sprintf("torch.clamp(%s * %s + %s, 0, 1)", number(a), x, number(b))
		}
		return "F.hardsigmoid(" + x + ")"
	case graph.OpHardSwish:
		return "F.hardswish(" + x + ")"
	case graph.OpSiLU:
		return "F.silu(" + x + ")"
	case graph.OpClip:
		return fmt.Sprintf("torch.clamp(%s, %s, %s)", x, number(n.Clip.Low), number(n.Clip.High))
	case graph.OpAdd:
		return in[0] + " + " + in[1]
	case graph.OpMul:
		return in[0] + " * " + in[1]
	case graph.OpConcat:
		return "torch.cat((" + strings.Join(in, ", ") + "), 1)"
	case graph.OpMaxPool:
		return maxPool(x, n.Pool)
	case graph.OpAvgPool:
		return avgPool(x, n.Pool)
	case graph.OpGlobalAvgPool:
		return x + ".mean((2, 3), keepdim=True)"
	case graph.OpFlatten:
		return x + ".flatten(1)"
	case graph.OpSoftmax:
		return "F.softmax(" + x + ", 1)"
	}
	panic(fmt.Sprintf("pytorch: no form for %q", n.Op)) // infer knows the operations
}

// inputs are node i's inputs in the rank that it needs; and it notes i's own.
func (s *source) inputs(i int) []string {
	op := s.g.Node(i).Op
	vectors := op == graph.OpLinear
	switch op {
	case graph.OpLinear, graph.OpConv2D, graph.OpMaxPool, graph.OpAvgPool, graph.OpGlobalAvgPool, graph.OpFlatten:
	default:
		vectors = !slices.ContainsFunc(s.g.Inputs(i), func(k int) bool { return !s.flat[k] })
	}
	s.flat[i] = vectors || op == graph.OpFlatten
	var names []string
	for _, k := range s.g.Inputs(i) {
		name := s.name[k]
		switch {
		case vectors && !s.flat[k]:
			name += ".flatten(1)"
		case !vectors && s.flat[k]:
			name += "[:, :, None, None]"
		}
		names = append(names, name)
	}
	return names
}

func (s *source) call(name, x string) string {
	return fmt.Sprintf("layer(%s)(%s)", strconv.QuoteToASCII(name), x)
}

// pad pads an image; PyTorch names the last dimension's sides first.
func pad(x string, p [4]int, value string) string {
	return fmt.Sprintf("F.pad(%s, (%d, %d, %d, %d)%s)", x, p[1], p[3], p[0], p[2], value)
}

// within says whether PyTorch's poolings pad like that themselves.
func within(p *graph.Pool) bool {
	half, ok := symmetric(p.Pad)
	return ok && 2*half[0] <= p.Kernel[0] && 2*half[1] <= p.Kernel[1]
}

func maxPool(x string, p *graph.Pool) string {
	if !within(p) {
		return fmt.Sprintf("F.max_pool2d(%s, %s, %s)", pad(x, p.Pad, ", value=-torch.inf"), pair(p.Kernel), pair(p.Stride))
	}
	return fmt.Sprintf("F.max_pool2d(%s, %s, %s, %s)", x, pair(p.Kernel), pair(p.Stride), pair([2]int{p.Pad[0], p.Pad[1]}))
}

// avgPool divides by the image's share of a window, where the padding does not
// count, by pooling ones as well.
func avgPool(x string, p *graph.Pool) string {
	if within(p) {
		count := ""
		if !p.CountPad && p.Pad != [4]int{} {
			count = ", count_include_pad=False"
		}
		return fmt.Sprintf("F.avg_pool2d(%s, %s, %s, %s%s)", x, pair(p.Kernel), pair(p.Stride), pair([2]int{p.Pad[0], p.Pad[1]}), count)
	}
	pool := func(x string) string {
		return fmt.Sprintf("F.avg_pool2d(%s, %s, %s)", pad(x, p.Pad, ""), pair(p.Kernel), pair(p.Stride))
	}
	if p.CountPad {
		return pool(x)
	}
	return pool(x) + " / " + pool("torch.ones_like("+x+")")
}
