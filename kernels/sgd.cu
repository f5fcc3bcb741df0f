// lr, m, wd = hyper[0], hyper[1], hyper[2]    (wd = 0 from i = decayed on)
// for i: g = unscale·dp[i] + wd·p[i];  v[i] = m·v[i] + g;  p[i] −= lr·(g + m·v[i])  if nesterov, else lr·v[i]
//
// and nothing where unscale = scale[2] is 0 (loss_scale.cu); without scale it is 1. Hyper
// lies on the device, so that a captured step need not be captured again.
// Bound: 20 bytes a parameter.
#include "elementwise.cuh"

struct Sgd {
	float *p, *v;
	const float *dp, *hyper, *scale;
	index_t len, decayed;
	int nesterov;
};

KERNEL(256, sgd, Sgd o) {
	float lr = o.hyper[0], m = o.hyper[1], wd = o.hyper[2], unscale = o.scale ? o.scale[2] : 1;
	if (unscale == 0) return;
	for FLAT(i, o.len) {
		float w = o.p[i], g = unscale * o.dp[i] + (i < o.decayed ? wd : 0) * w, v = m * o.v[i] + g;
		o.v[i] = v;
		o.p[i] = w - lr * (o.nesterov ? g + m * v : v);
	}
}
