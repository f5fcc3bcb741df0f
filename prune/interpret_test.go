package prune

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"mdp/engine/graph"
)

// interpreter runs a graph on one image in float64, by the definitions in
// package graph and nothing else: the reference that pruning is tested against.
type interpreter struct {
	g    *graph.Graph
	w    graph.Weights
	leak float64 // slope of the activations where they should be flat; 0 for the real ones
}

// run returns every node's output for the image x, HWC.
func (n interpreter) run(x []float64) [][]float64 {
	outs := make([][]float64, n.g.Len())
	outs[0] = x
	for i := 1; i < n.g.Len(); i++ {
		outs[i] = n.node(i, outs)
	}
	return outs
}

// output is the last node's output for the image x.
func (n interpreter) output(x []float64) []float64 { return n.run(x)[n.g.Len()-1] }

// node computes node i from its inputs in outs.
func (n interpreter) node(i int, outs [][]float64) []float64 {
	node, in, shape := n.g.Node(i), n.g.Inputs(i), n.g.Shape(i)
	x, from := outs[in[0]], n.g.Shape(in[0])
	y := make([]float64, shape.Size())
	switch node.Op {
	case graph.OpConv2D:
		n.conv(y, x, node, from, shape)
	case graph.OpLinear:
		f := n.w.Data(node.Name + ".weight")
		for k := range y {
			for c, v := range x {
				y[k] += v * float64(f[k*len(x)+c])
			}
			if node.Linear.Bias {
				y[k] += float64(n.w.Data(node.Name + ".bias")[k])
			}
		}
	case graph.OpBatchNorm:
		gamma, beta := n.w.Data(node.Name+".weight"), n.w.Data(node.Name+".bias")
		mean, variance := n.w.Data(node.Name+".running_mean"), n.w.Data(node.Name+".running_var")
		for j, v := range x {
			c := j % shape.C
			y[j] = float64(gamma[c])*(v-float64(mean[c]))/math.Sqrt(float64(variance[c])+node.BatchNorm.Eps) + float64(beta[c])
		}
	case graph.OpReLU, graph.OpReLU6:
		top := math.Inf(1)
		if node.Op == graph.OpReLU6 {
			top = 6
		}
		for j, v := range x {
			clipped := min(max(v, 0), top)
			y[j] = clipped + n.leak*(v-clipped)
		}
	case graph.OpSigmoid, graph.OpHardSigmoid, graph.OpHardSwish, graph.OpSiLU, graph.OpClip:
		for j, v := range x {
			y[j] = smooth(node, v) + n.leak*v
		}
	case graph.OpAdd:
		for j, v := range x {
			y[j] = v + outs[in[1]][j]
		}
	case graph.OpMul:
		for j := range y {
			y[j] = 1
			for _, k := range in {
				at := j
				if n.g.Shape(k) != shape {
					at = j % shape.C
				}
				y[j] *= outs[k][at]
			}
		}
	case graph.OpConcat:
		at := 0
		for _, k := range in {
			c := n.g.Shape(k).C
			for j, v := range outs[k] {
				y[j/c*shape.C+at+j%c] = v
			}
			at += c
		}
	case graph.OpScale:
		gamma, beta := n.w.Data(node.Name+".weight"), n.w.Data(node.Name+".bias")
		for j, v := range x {
			y[j] = float64(gamma[j%shape.C])*v + float64(beta[j%shape.C])
		}
	case graph.OpSoftmax:
		for at := 0; at < len(x); at += shape.C {
			sum := 0.0
			for _, v := range x[at:][:shape.C] {
				sum += math.Exp(v)
			}
			for j, v := range x[at:][:shape.C] {
				y[at+j] = math.Exp(v) / sum
			}
		}
	case graph.OpMaxPool, graph.OpAvgPool:
		pool(y, x, node, from, shape)
	case graph.OpGlobalAvgPool:
		for j, v := range x {
			y[j%from.C] += v / float64(from.H*from.W)
		}
	case graph.OpFlatten:
		copy(y, x)
	default:
		panic("the interpreter does not know " + string(node.Op))
	}
	return y
}

// smooth are the activations that bend, and those with bounds of their own.
func smooth(n graph.Node, x float64) float64 {
	sigmoid := 1 / (1 + math.Exp(-x))
	switch n.Op {
	case graph.OpHardSigmoid:
		return min(max(n.HardSigmoid.Alpha*x+n.HardSigmoid.Beta, 0), 1)
	case graph.OpHardSwish:
		return x * min(max(x+3, 0), 6) / 6
	case graph.OpSiLU:
		return x * sigmoid
	case graph.OpClip:
		return min(max(x, n.Clip.Low), n.Clip.High)
	}
	return sigmoid
}

func (n interpreter) conv(y, x []float64, node graph.Node, from, to graph.Shape) {
	a, f := node.Conv2D, n.w.Data(node.Name+".weight")
	inner, outer := from.C/a.Groups, to.C/a.Groups
	for p := range to.H {
		for q := range to.W {
			for k := range to.C {
				sum := 0.0
				for r := range a.Kernel[0] {
					for s := range a.Kernel[1] {
						h := p*a.Stride[0] + r*a.Dilation[0] - a.Pad[0]
						w := q*a.Stride[1] + s*a.Dilation[1] - a.Pad[1]
						if h < 0 || h >= from.H || w < 0 || w >= from.W {
							continue
						}
						px := x[(h*from.W+w)*from.C+k/outer*inner:][:inner]
						row := f[((k*a.Kernel[0]+r)*a.Kernel[1]+s)*inner:][:inner]
						for c, v := range px {
							sum += v * float64(row[c])
						}
					}
				}
				if a.Bias {
					sum += float64(n.w.Data(node.Name + ".bias")[k])
				}
				y[(p*to.W+q)*to.C+k] = sum
			}
		}
	}
}

func pool(y, x []float64, node graph.Node, from, to graph.Shape) {
	a := node.Pool
	for p := range to.H {
		for q := range to.W {
			for c := range to.C {
				sum, best, count := 0.0, math.Inf(-1), 0
				for r := range a.Kernel[0] {
					for s := range a.Kernel[1] {
						h, w := p*a.Stride[0]+r-a.Pad[0], q*a.Stride[1]+s-a.Pad[1]
						if h < 0 || h >= from.H || w < 0 || w >= from.W {
							continue
						}
						v := x[(h*from.W+w)*from.C+c]
						sum, best, count = sum+v, max(best, v), count+1
					}
				}
				if a.CountPad {
					count = a.Kernel[0] * a.Kernel[1]
				}
				if node.Op == graph.OpMaxPool {
					sum, count = best, 1
				}
				y[(p*to.W+q)*to.C+c] = sum / float64(count)
			}
		}
	}
}

// randFor is the random stream of the case called name.
func randFor(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

// trained are weights as of a trained network: nothing is 0 or 1, so that
// whatever a cut forgets shows in the output.
func trained(g *graph.Graph, r *rand.Rand) graph.Weights {
	w := graph.InitWeights(g, r.Uint64())
	for _, p := range g.Params() {
		if p.Role == graph.RoleFilter {
			continue
		}
		d := w.Data(p.Name)
		for i := range d {
			d[i] = 0.3 + 0.4*r.Float32()
			if p.Role == graph.RoleBias || p.Role == graph.RoleBeta || p.Role == graph.RoleRunningMean {
				d[i] -= 0.4
			}
		}
	}
	return w
}

func randomImage(g *graph.Graph, r *rand.Rand) []float64 {
	x := make([]float64, g.Shape(0).Size())
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}
