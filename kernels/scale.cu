// y[i,c] = γ[c]·x[i,c] + β[c]
//
// Bound: 8 bytes an element.
#include "elementwise.cuh"

template <class T> struct Scale {
	T *y;
	const T *x;
	const float *gamma, *beta;
	index_t len;
	int c;
};

template <class T> __device__ void scale_of(const Scale<T> &p) {
	flat(p.len, [&](index_t i, auto each) {
		int c = int(i % p.c);
		auto x = widened(pack_at<each>(&p.x[i])), gamma = pack_at<each>(&p.gamma[c]), y = pack_at<each>(&p.beta[c]);
#pragma unroll
		for (int e = 0; e < each; e++) y.at[e] += gamma.at[e] * x.at[e];
		put_pack(&p.y[i], y);
	}, p.c % 8 == 0);
}
STORED(256, scale, Scale)
