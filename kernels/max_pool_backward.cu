// dx[n,h,w,c] (+)= Σ over the windows (p, q) whose first x, in order of r then s,
// that equals y[n,p,q,c] is x[n,h,w,c], of dy[n,p,q,c]
//
// Each pixel gathers from the windows that see it, so nothing is added atomically.
// Bound: 8 bytes an element of x, 12 where it adds, and 8 of y.
#include "pool.cuh"

template <class T> struct MaxPoolBackward {
	T *dx;
	const T *dy, *y, *x;
	Pool g;
	int accumulate;
};

template <class T> __device__ void max_pool_backward_of(const MaxPoolBackward<T> &o) {
	const Pool &g = o.g;
	flat<16 / sizeof(T)>(g.in(), [&](index_t i, auto each) {
		Place at(i, g.h, g.w, g.c);
		auto x = pack_at<each>(&o.x[i]);
		Pack<float, each> sum = {};
		if (o.accumulate) sum = widened(pack_at<each>(&o.dx[i]));
		Span ps = readers(at.h, g.stride[0], g.pad[0], g.r, g.p), qs = readers(at.w, g.stride[1], g.pad[1], g.s, g.q);
		for (int p = ps.first; p < ps.last; p++)
			for (int q = qs.first; q < qs.last; q++) {
				index_t out = offset(at.n, p, q, at.c, g.p, g.q, g.c);
				auto y = pack_at<each>(&o.y[out]), dy = pack_at<each>(&o.dy[out]);
				unsigned first = 0; // a bit for each
#pragma unroll
				for (int e = 0; e < each; e++)
					if (x.at[e] == y.at[e]) first |= 1u << e;
				Span hs = inside(p, g.stride[0], g.pad[0], g.r, g.h), ws = inside(q, g.stride[1], g.pad[1], g.s, g.w);
				for (int h = hs.first; first && h <= at.h; h++)
					for (int w = ws.first; first && w < (h < at.h ? ws.last : at.w); w++) {
						auto before = pack_at<each>(&o.x[offset(at.n, h, w, at.c, g.h, g.w, g.c)]);
#pragma unroll
						for (int e = 0; e < each; e++)
							if (before.at[e] == x.at[e]) first &= ~(1u << e);
					}
#pragma unroll
				for (int e = 0; e < each; e++)
					if (first >> e & 1) sum.at[e] += dy.at[e];
			}
		put_pack(&o.dx[i], sum);
	}, g.c % 8 == 0);
}
STORED_BLOCKS(256, 4, max_pool_backward, MaxPoolBackward)
