// y[i] = min(max(alpha·x[i] + beta, low), high)
//
// Bound: 8 bytes an element.
#include "elementwise.cuh"

struct Clamp {
	float *y;
	const float *x;
	index_t len;
	float alpha, beta, low, high;
};

KERNEL(256, clamp, Clamp p) {
	for FLAT(i, p.len) p.y[i] = clamped(p.alpha * p.x[i] + p.beta, p.low, p.high);
}
