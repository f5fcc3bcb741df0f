// y[i] = act(a[i] + b[i])
//
// Bound: 12 bytes an element.
#include "elementwise.cuh"

struct Add {
	float *y;
	const float *a, *b;
	index_t len;
	int act;
};

KERNEL(256, add, Add p) {
	for FLAT(i, p.len) p.y[i] = activated(p.act, p.a[i] + p.b[i]);
}
