// y[n,p,q,c] = max over r, s inside the image of x[n, p·stride₀+r−pad₀, q·stride₁+s−pad₁, c]
//
// Bound: 4 bytes an element of x and of y.
#include "pool.cuh"

template <class T> struct MaxPoolForward {
	T *y;
	const T *x;
	Pool g;
};

template <class T> __device__ void max_pool_forward_of(const MaxPoolForward<T> &o) {
	const Pool &g = o.g;
	flat<16 / sizeof(T)>(g.out(), [&](index_t i, auto each) {
		Place y(i, g.p, g.q, g.c);
		Span hs = inside(y.h, g.stride[0], g.pad[0], g.r, g.h), ws = inside(y.w, g.stride[1], g.pad[1], g.s, g.w);
		Pack<float, each> best;
#pragma unroll
		for (int e = 0; e < each; e++) best.at[e] = -INFINITY;
		for (int h = hs.first; h < hs.last; h++)
#pragma unroll 3
			for (int w = ws.first; w < ws.last; w++) {
				auto x = pack_at<each>(&o.x[offset(y.n, h, w, y.c, g.h, g.w, g.c)]);
#pragma unroll
				for (int e = 0; e < each; e++) {
					float v = x.at[e], was = best.at[e];
					if (!(v <= was) && was == was) best.at[e] = v; // a NaN wins, and stays
				}
			}
		put_pack(&o.y[i], best);
	}, g.c % 8 == 0);
}
STORED(256, max_pool_forward, MaxPoolForward)
