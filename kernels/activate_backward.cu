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
	flat(p.len, [&](index_t i, auto each) {
		Pack<float, each> g = widened(pack_at<each>(&p.dy[i])), of = {};
		if (p.of) of = widened(pack_at<each>(&p.of[i]));
		if (p.act <= RELU6)
#pragma unroll
			for (int e = 0; e < each; e++) g.at[e] = gated(p.act, g.at[e], of.at[e]);
		else
#pragma unroll
			for (int e = 0; e < each; e++) g.at[e] *= slope(p.act, of.at[e]);
		if (p.accumulate) g += widened(pack_at<each>(&p.dx[i]));
		put_pack(&p.dx[i], g);
	});
}
STORED(256, activate_backward, ActivateBackward)
