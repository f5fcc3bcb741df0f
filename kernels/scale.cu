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
	for FLAT(i, p.len) p.y[i] = p.gamma[i % p.c] * p.x[i] + p.beta[i % p.c];
}
STORED(256, scale, Scale)
