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
	for FLAT(i, g.out()) {
		Place y(i, g.p, g.q, g.c);
		Span hs = inside(y.h, g.stride[0], g.pad[0], g.r, g.h), ws = inside(y.w, g.stride[1], g.pad[1], g.s, g.w);
		float best = -INFINITY;
		for (int h = hs.first; h < hs.last; h++)
			for (int w = ws.first; w < ws.last; w++) {
				float v = o.x[offset(y.n, h, w, y.c, g.h, g.w, g.c)];
				if (!(v <= best)) best = v; // a NaN wins
				if (v != v) h = hs.last, w = ws.last;
			}
		o.y[i] = best;
	}
}
STORED(256, max_pool_forward, MaxPoolForward)
