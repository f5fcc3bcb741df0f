// y[i] = min(max(alpha·x[i] + beta, low), high)
//
// Bound: 8 bytes an element.
#include "elementwise.cuh"

template <class T> struct Clamp {
	T *y;
	const T *x;
	index_t len;
	float alpha, beta, low, high;
};

template <class T> __device__ void clamp_of(const Clamp<T> &p) {
	flat(p.len, [&](index_t i, auto each) {
		auto v = widened(pack_at<each>(&p.x[i]));
#pragma unroll
		for (int e = 0; e < each; e++) v.at[e] = clamped(p.alpha * v.at[e] + p.beta, p.low, p.high);
		put_pack(&p.y[i], v);
	});
}
STORED(256, clamp, Clamp)
