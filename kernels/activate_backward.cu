// dx[i] (+)= dy[i]·act'
//
// Of is the output or, for a swish, the input; null with the identity. Bound: 12
// bytes an element, 16 where it adds, 4 less with the identity.
#include "elementwise.cuh"

template <class T> struct ActivateBackward {
	T *dx;
	const T *dy, *of;
	index_t len;
	int act, accumulate;
};

template <class T> __device__ void activate_backward_of(const ActivateBackward<T> &p) {
	for FLAT(i, p.len) {
		float of = p.of ? p.of[i] : 0.f;
		float g = p.act <= RELU6 ? gated(p.act, p.dy[i], of) : p.dy[i] * slope(p.act, of);
		p.dx[i] = p.accumulate ? p.dx[i] + g : g;
	}
}
STORED(256, activate_backward, ActivateBackward)
