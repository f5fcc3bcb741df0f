// y[i] = 0
//
// Bound: 4 bytes an element.
#include "elementwise.cuh"

struct Zero {
	float *y;
	index_t len;
};

KERNEL(256, zero, Zero p) {
	flat(p.len, [&](index_t i, auto each) { put_pack(&p.y[i], Pack<float, each>{}); });
}
