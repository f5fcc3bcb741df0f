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
	for FLAT(i, p.len) {
		float v = p.a[i] * p.b[i / p.image * p.c + i % p.c];
		p.y[i] = p.accumulate ? p.y[i] + v : v;
	}
}
STORED(256, mul, Mul)
