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
	flat(p.n, [&](index_t i, auto each) { put_pack(&p.y[i], pack_at<each>(&p.x[i])); });
}

KERNEL(256, narrow_in_bf16, Narrow<bf16> p) { narrow_of(p); }
KERNEL(256, narrow_in_fp16, Narrow<fp16> p) { narrow_of(p); }
