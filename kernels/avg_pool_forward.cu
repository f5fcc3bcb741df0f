// y[n,p,q,c] = Σ over r, s inside the image of x[n, p·stride₀+r−pad₀, q·stride₁+s−pad₁, c] / count
//
// Count is r·s with count_pad, and the pixels inside the image without.
// Bound: 4 bytes an element of x and of y.
#include "pool.cuh"

template <class T> struct AvgPoolForward {
	T *y;
	const T *x;
	Pool g;
	int count_pad;
};

template <class T> __device__ void avg_pool_forward_of(const AvgPoolForward<T> &o) {
	const Pool &g = o.g;
	flat<16 / sizeof(T)>(g.out(), [&](index_t i, auto each) {
		Place y(i, g.p, g.q, g.c);
		Span hs = inside(y.h, g.stride[0], g.pad[0], g.r, g.h), ws = inside(y.w, g.stride[1], g.pad[1], g.s, g.w);
		Pack<float, each> sum = {};
		for (int h = hs.first; h < hs.last; h++)
#pragma unroll 4
			for (int w = ws.first; w < ws.last; w++) sum += widened(pack_at<each>(&o.x[offset(y.n, h, w, y.c, g.h, g.w, g.c)]));
		float count = o.count_pad ? g.r * g.s : hs.len() * ws.len();
#pragma unroll
		for (int e = 0; e < each; e++) sum.at[e] /= count;
		put_pack(&o.y[i], sum);
	}, g.c % 8 == 0);
}
STORED(256, avg_pool_forward, AvgPoolForward)
