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
	flat(p.len, [&](index_t i, auto each) {
		auto sum = widened(pack_at<each>(&p.a[i]));
		sum += widened(pack_at<each>(&p.b[i]));
		put_pack(&p.y[i], activated(p.act, sum));
	});
}
STORED(256, add, Add)
