// dx[i] (+)= alpha·dy[i] where low < y[i] < high, and 0 elsewhere
//
// Bound: 12 bytes an element, 16 where it adds.
#include "elementwise.cuh"

struct ClampBackward {
	float *dx;
	const float *dy, *y;
	index_t len;
	float alpha, low, high;
	int accumulate;
};

KERNEL(256, clamp_backward, ClampBackward p) {
	for FLAT(i, p.len) {
		float g = p.y[i] > p.low && p.y[i] < p.high ? p.alpha * p.dy[i] : 0;
		p.dx[i] = p.accumulate ? p.dx[i] + g : g;
	}
}
