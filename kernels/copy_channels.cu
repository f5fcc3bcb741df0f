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
	for FLAT(i, p.len) {
		index_t row = i / p.c;
		int c = int(i % p.c);
		T &y = p.y[row * p.yc + p.y_at + c];
		float x = p.x[row * p.xc + p.x_at + c];
		y = p.accumulate ? y + x : x;
	}
}
STORED(256, copy_channels, CopyChannels)
