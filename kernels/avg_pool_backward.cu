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
	flat<16 / sizeof(T)>(g.in(), [&](index_t i, auto each) {
		Place at(i, g.h, g.w, g.c);
		Pack<float, each> sum = {};
		if (o.accumulate) sum = widened(pack_at<each>(&o.dx[i]));
		Span ps = readers(at.h, g.stride[0], g.pad[0], g.r, g.p), qs = readers(at.w, g.stride[1], g.pad[1], g.s, g.q);
		for (int p = ps.first; p < ps.last; p++)
			for (int q = qs.first; q < qs.last; q++) {
				int seen = inside(p, g.stride[0], g.pad[0], g.r, g.h).len() * inside(q, g.stride[1], g.pad[1], g.s, g.w).len();
				float count = o.count_pad ? g.r * g.s : seen;
				auto dy = pack_at<each>(&o.dy[offset(at.n, p, q, at.c, g.p, g.q, g.c)]);
#pragma unroll
				for (int e = 0; e < each; e++) sum.at[e] += dy.at[e] / count;
			}
		put_pack(&o.dx[i], sum);
	}, g.c % 8 == 0);
}
STORED(256, avg_pool_backward, AvgPoolBackward)
