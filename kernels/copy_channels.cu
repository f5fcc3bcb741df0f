// for i < rows, c: y[i, y_at+c] (+)= x[i, x_at+c], rows of yc and of xc channels
//
// Bound: 8 bytes an element, 12 where it adds.
#include "elementwise.cuh"

template <class T> struct CopyChannels {
	T *y;
	const T *x;
	index_t len; // rows·c
	int c, yc, y_at, xc, x_at, accumulate;
};

template <class T> __device__ void copy_channels_of(const CopyChannels<T> &p) {
	flat(p.len, [&](index_t i, auto each) {
		index_t row = i / p.c;
		int c = int(i % p.c);
		T *y = &p.y[row * p.yc + p.y_at + c];
		auto v = widened(pack_at<each>(&p.x[row * p.xc + p.x_at + c]));
		if (p.accumulate) v += widened(pack_at<each>(y));
		put_pack(y, v);
	}, (p.c | p.yc | p.y_at | p.xc | p.x_at) % 8 == 0);
}
STORED(256, copy_channels, CopyChannels)
