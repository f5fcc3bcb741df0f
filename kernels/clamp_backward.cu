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
	flat(p.len, [&](index_t i, auto each) {
		auto g = widened(pack_at<each>(&p.dy[i])), y = widened(pack_at<each>(&p.y[i]));
#pragma unroll
		for (int e = 0; e < each; e++) g.at[e] = y.at[e] > p.low && y.at[e] < p.high ? p.alpha * g.at[e] : 0;
		if (p.accumulate) g += widened(pack_at<each>(&p.dx[i]));
		put_pack(&p.dx[i], g);
	});
}
STORED(256, clamp_backward, ClampBackward)
