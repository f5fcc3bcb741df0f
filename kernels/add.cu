// y[i] = act(a[i] + b[i])
//
// Bound: 12 bytes an element.
#include "elementwise.cuh"

template <class T> struct Add {
	T *y;
	const T *a, *b;
	index_t len;
	int act;
};

template <class T> __device__ void add_of(const Add<T> &p) {
	for FLAT(i, p.len) p.y[i] = activated(p.act, p.a[i] + p.b[i]);
}
STORED(256, add, Add)
