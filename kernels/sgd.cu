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
	flat(o.len, [&](index_t i, auto each) {
		auto w = pack_at<each>(&o.p[i]), v = pack_at<each>(&o.v[i]), g = pack_at<each>(&o.dp[i]);
#pragma unroll
		for (int e = 0; e < each; e++) {
			g.at[e] = unscale * g.at[e] + (i + e < o.decayed ? wd : 0) * w.at[e];
			v.at[e] = m * v.at[e] + g.at[e];
			w.at[e] -= lr * (o.nesterov ? g.at[e] + m * v.at[e] : v.at[e]);
		}
		put_pack(&o.v[i], v);
		put_pack(&o.p[i], w);
	});
}
