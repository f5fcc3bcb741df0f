// y[i] = act(x[i])
//
// Bound: 8 bytes an element.
#include "elementwise.cuh"

struct Activate {
	float *y;
	const float *x;
	index_t len;
	int act;
};

KERNEL(256, activate, Activate p) {
	for FLAT(i, p.len) p.y[i] = activated(p.act, p.x[i]);
}
