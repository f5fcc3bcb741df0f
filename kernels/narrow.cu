// for i < n: y[i] = x[i], rounded to 16 bits
//
// What a filter is multiplied as where products read it from memory (wgmma.cuh); n is a
// multiple of eight. Bound: 4 bytes read and 2 written an element.
#include "elementwise.cuh"

template <class T> struct Narrow {
	T *y;
	const float *x;
	index_t n;
};

template <class T> __device__ void narrow_of(const Narrow<T> &p) {
	for FLAT(i, p.n / 8) put_eight(&p.y[8 * i], eight_at(&p.x[8 * i]));
}

KERNEL(256, narrow_in_bf16, Narrow<bf16> p) { narrow_of(p); }
KERNEL(256, narrow_in_fp16, Narrow<fp16> p) { narrow_of(p); }
