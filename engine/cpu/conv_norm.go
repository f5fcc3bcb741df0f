package cpu

import "mdp/engine"

// inputNorm is what stands between memory and a convolution that reads the input of
// a batch norm for its output: every element is computed again where it is copied to
// the kernels' scratch memory, which is still in the cache when they read it.
type inputNorm struct {
	folding
	*rows
	gamma, beta, mean, invStd      []float32
	wideMean, wideScale, wideShift []float32
	lo, hi                         float32
}

// newInputNorm is nil for a convolution that reads what lies in memory. Memory is
// needed to run it, not to tell sizes.
func newInputNorm(i isa, g engine.Conv, n engine.InputNorm, of map[engine.Buffer][]float32) *inputNorm {
	if n.Mean == engine.None {
		return nil
	}
	o := &inputNorm{folding: fold(1, g.C), rows: rowsFor(i), gamma: of[n.Gamma], beta: of[n.Beta], mean: of[n.Mean], invStd: of[n.InvStd]}
	o.lo, o.hi = bounds(n.Act)
	return o
}

// before makes an op that reads the statistics anew each time.
func (o *inputNorm) before(of op) op {
	if o == nil {
		return of
	}
	o.wideMean, o.wideScale, o.wideShift = make([]float32, o.width), make([]float32, o.width), make([]float32, o.width)
	return &normedConv{of, o}
}

type normedConv struct {
	op
	norm *inputNorm
}

func (o *normedConv) run(t *team) {
	n := o.norm
	for c, mean := range n.mean {
		n.spread(n.wideMean, c, mean)
		n.spread(n.wideScale, c, scaleOf(n.gamma[c], n.invStd[c]))
		n.spread(n.wideShift, c, n.beta[c])
	}
	o.op.run(t)
}

// copy writes whole pixels that follow each other.
func (o *inputNorm) copy(dst, src []float32) {
	o.affine(dst, src[:len(dst)], o.wideMean, o.wideScale, o.wideShift, o.lo, o.hi)
}

// supportsNorm says which convolutions can compute their input: those that copy it,
// or gain by reading memory once less.
func (b *Backend) supportsNorm(g engine.Conv, n engine.InputNorm) bool {
	return n.Mean == engine.None || n.Act.Gates() && (g.Depthwise() || g.Groups == 1 && b.isa.precision() == FP32)
}
