// dx[i] (+)= alpha·dy[i] where low < y[i] < high, and 0 elsewhere
//
// Bound: 12 bytes an element, 16 where it adds.
#include "elementwise.cuh"

template <class T> struct ClampBackward {
	T *dx;
	const T *dy, *y;
	index_t len;
	float alpha, low, high;
	int accumulate;
};

template <class T> __device__ void clamp_backward_of(const ClampBackward<T> &p) {
	for FLAT(i, p.len) {
		float g = p.y[i] > p.low && p.y[i] < p.high ? p.alpha * p.dy[i] : 0;
		p.dx[i] = p.accumulate ? p.dx[i] + g : g;
	}
}
STORED(256, clamp_backward, ClampBackward)
