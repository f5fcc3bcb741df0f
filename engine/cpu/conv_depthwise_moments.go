package cpu

import "mdp/engine"

// depthwiseMoments is the convolution of a depthwise ConvBatchNorm: it takes the moments
// of what it writes, about the first pixel of each task.
type depthwiseMoments struct {
	*depthwise
	moments *tileMoments
	stream  bool
}

func newDepthwiseMoments(o *depthwise, m *tileMoments) *depthwiseMoments {
	return &depthwiseMoments{o, m, o.walks[0].stream}
}

// counts are the pixels of tasks.
func (o *depthwise) counts() []float64 {
	counts := make([]float64, o.tasks())
	for i := range counts {
		for k, end := o.task(i); k < end; k++ {
			_, n := o.written(k)
			counts[i] += float64(n / o.c)
		}
	}
	return counts
}

func (o *depthwiseMoments) run(t *team) {
	o.pack(t)
	t.run(o, o.tasks())
}

// do computes a task. Its first step is read again, and tells the other ones what to take off.
func (o *depthwiseMoments) do(worker, i int) {
	o.begin(worker, 0)
	first, end := o.task(i)
	m, t := o.moments, o.place(worker, first, 0)
	t.stream = false
	o.kernels.walk(t)
	at, n := o.written(first)
	m.start(i, 0, o.c, at)
	m.add(i, 0, o.c, at, n/o.c, o.c)
	t.stream = o.stream
	t.mean, t.sumG, t.sumX = m.first[i*m.c:][:m.c], m.sum[i*m.c:][:m.c], m.sumSq[i*m.c:][:m.c]
	for k := first + 1; k < end; k++ {
		o.kernels.walkMoments(o.place(worker, k, 0))
	}
}

// supportsDepthwiseMoments says whether there are kernels for them.
func (b *Backend) supportsDepthwiseMoments(c engine.Conv) bool {
	return c.Depthwise() && convKernelsOf(b.isa.float32()).walkMoments != nil
}
