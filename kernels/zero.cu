// y[i] = 0
//
// Bound: 4 bytes an element.
#include "elementwise.cuh"

struct Zero {
	float *y;
	index_t len;
};

KERNEL(256, zero, Zero p) {
	for FLAT(i, p.len) p.y[i] = 0;
}
