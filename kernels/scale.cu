// y[i,c] = γ[c]·x[i,c] + β[c]
//
// Bound: 8 bytes an element.
#include "elementwise.cuh"

struct Scale {
	float *y;
	const float *x, *gamma, *beta;
	index_t len;
	int c;
};

KERNEL(256, scale, Scale p) {
	for FLAT(i, p.len) p.y[i] = p.gamma[i % p.c] * p.x[i] + p.beta[i % p.c];
}
