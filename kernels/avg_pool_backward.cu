// dx[n,h,w,c] (+)= Σ over windows (p, q) that see it of dy[n,p,q,c] / count
//
// Count is as in the forward pass. Bound: 4 bytes an element of dx, 8 where it
// adds, and 4 of dy.
#include "pool.cuh"

template <class T> struct AvgPoolBackward {
	T *dx;
	const T *dy;
	Pool g;
	int count_pad, accumulate;
};

template <class T> __device__ void avg_pool_backward_of(const AvgPoolBackward<T> &o) {
	const Pool &g = o.g;
	for FLAT(i, g.in()) {
		Place at(i, g.h, g.w, g.c);
		float sum = o.accumulate ? o.dx[i] : 0.f;
		Span ps = readers(at.h, g.stride[0], g.pad[0], g.r, g.p), qs = readers(at.w, g.stride[1], g.pad[1], g.s, g.q);
		for (int p = ps.first; p < ps.last; p++)
			for (int q = qs.first; q < qs.last; q++) {
				int seen = inside(p, g.stride[0], g.pad[0], g.r, g.h).len() * inside(q, g.stride[1], g.pad[1], g.s, g.w).len();
				sum += o.dy[offset(at.n, p, q, at.c, g.p, g.q, g.c)] / (o.count_pad ? g.r * g.s : seen);
			}
		o.dx[i] = sum;
	}
}
STORED(256, avg_pool_backward, AvgPoolBackward)
