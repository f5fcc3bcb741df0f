// dx[i] (+)= dy[i]·act'(y[i])
//
// Y is null with the identity. Bound: 12 bytes an element, 16 where it adds, 4
// less with the identity.
#include "elementwise.cuh"

struct ActivateBackward {
	float *dx;
	const float *dy, *y;
	index_t len;
	int act, accumulate;
};

KERNEL(256, activate_backward, ActivateBackward p) {
	for FLAT(i, p.len) {
		float g = gated(p.act, p.dy[i], p.y ? p.y[i] : 0);
		p.dx[i] = p.accumulate ? p.dx[i] + g : g;
	}
}
