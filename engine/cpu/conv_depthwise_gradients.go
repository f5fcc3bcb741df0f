package cpu

import "mdp/engine"

// depthwiseBatchNorm is the op of a depthwise ConvBackwardBatchNorm. The convolution's
// gradient is never written: it is computed twice, for the sums and for what is made of
// them. That takes less time than memory does.
type depthwiseBatchNorm struct {
	conv *depthwise
	*batchNormBackward
	sumG, sumX []float32 // rows of the channels, one for each task
	writing    depthwiseInput
}

func newDepthwiseBatchNorm(i isa, c engine.ConvBackwardBatchNorm, of map[engine.Buffer][]float32, ws []float32, workers int) op {
	o := &depthwiseBatchNorm{newDepthwiseBackward(i, c.Conv).steady(), newBatchNormBackward(rowsFor(i), c.Norm, of, &ws), nil, nil, depthwiseInput{}}
	n := o.conv.tasks() * line(o.c)
	o.sumG, o.sumX = cut(&ws, n), cut(&ws, n)
	o.sumOf, o.writing.depthwiseBatchNorm = o.of, o
	e := epilogue{nil, nil, o.lo, o.hi}
	if c.Accumulate {
		e.z = o.dx
	}
	o.conv.init(o.dx, of[c.DY], of[c.W], e, ws, workers, false)
	for i := range o.conv.walks {
		t := &o.conv.walks[i]
		t.x, t.mean, t.scale, t.shift, t.slope = o.x, o.wideMean, o.wideScale, o.wideShift, o.wideSlope
		if t.beta = o.wideBeta; t.beta == nil {
			t.beta = o.wideMean // nothing is stopped, whatever it is
		}
	}
	return o
}

func depthwiseBatchNormWorkspace(i isa, c engine.ConvBackwardBatchNorm, workers int) int {
	conv := newDepthwiseBackward(i, c.Conv).steady()
	return batchNormBackwardWorkspace(c.Norm) + 2*conv.tasks()*line(c.C) + conv.workspace(workers)
}

func (o *depthwiseBatchNorm) run(t *team) {
	o.parameters()
	o.conv.pack(t)
	t.run(o, o.conv.tasks())
	t.run((*batchNormParameters)(o.batchNormBackward), channelPieces(o.c))
	t.run(&o.writing, o.conv.tasks())
}

// do sums a task's part.
func (o *depthwiseBatchNorm) do(worker, i int) {
	t := &o.conv.walks[worker]
	t.sumG, t.sumX = o.sumG[i*line(o.c):][:o.c], o.sumX[i*line(o.c):][:o.c]
	clear(t.sumG)
	clear(t.sumX)
	o.conv.begin(worker, 0)
	for k, end := o.conv.task(i); k < end; k++ {
		o.conv.kernels.walkGradients(o.conv.place(worker, k, 0))
	}
}

// of is channel c's sums.
func (o *depthwiseBatchNorm) of(c int) (sumG, sumGX float64) {
	for i := range o.conv.tasks() {
		sumG += float64(o.sumG[i*line(o.c)+c])
		sumGX += float64(o.sumX[i*line(o.c)+c])
	}
	return sumG, sumGX
}

// depthwiseInput is the task that writes a part of dx.
type depthwiseInput struct{ *depthwiseBatchNorm }

func (o *depthwiseInput) do(worker, i int) {
	o.conv.begin(worker, 0)
	for k, end := o.conv.task(i); k < end; k++ {
		o.conv.kernels.walkInput(o.conv.place(worker, k, 0))
	}
}
