// for n, i < pixels, c: y[n,i,c] (+)= a[n,i,c]·b[n,c]
//
// Bound: 8 bytes an element, 12 where it adds or where pixels is 1.
#include "elementwise.cuh"

template <class T> struct Mul {
	T *y;
	const T *a, *b;
	index_t len;
	index_t image; // pixels·c
	int c, accumulate;
};

template <class T> __device__ void mul_of(const Mul<T> &p) {
	flat(p.len, [&](index_t i, auto each) {
		auto v = widened(pack_at<each>(&p.a[i])), b = widened(pack_at<each>(&p.b[i / p.image * p.c + i % p.c]));
#pragma unroll
		for (int e = 0; e < each; e++) v.at[e] *= b.at[e];
		if (p.accumulate) v += widened(pack_at<each>(&p.y[i]));
		put_pack(&p.y[i], v);
	}, p.c % 8 == 0);
}
STORED(256, mul, Mul)
