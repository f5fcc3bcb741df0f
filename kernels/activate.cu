// y[i] = act(x[i])
//
// Bound: 8 bytes an element.
#include "elementwise.cuh"

template <class T> struct Activate {
	T *y;
	const T *x;
	index_t len;
	int act;
};

template <class T> __device__ void activate_of(const Activate<T> &p) {
	flat(p.len, [&](index_t i, auto each) { put_pack(&p.y[i], activated(p.act, widened(pack_at<each>(&p.x[i])))); });
}
STORED(256, activate, Activate)
