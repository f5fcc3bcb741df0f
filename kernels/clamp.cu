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
	for FLAT(i, p.len) p.y[i] = clamped(p.alpha * p.x[i] + p.beta, p.low, p.high);
}
STORED(256, clamp, Clamp)
