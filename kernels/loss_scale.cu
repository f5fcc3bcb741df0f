// With state = {scale, good, unscale, skipped}:
// if dp[i] is finite for all i:
//   unscale = 1/scale;  good += 1;  if good = growth: good = 0, scale = min(2·scale, 2²⁴)
// else:
//   unscale = 0;  good = 0;  scale = max(scale/2, 1);  skipped += 1
//
// Two kernels: how many are not finite, by blocks; their sum, and what follows from it.
// The state lies on the device, so that no step waits for the host.
// Bound: 4 bytes a parameter.
#include "columns.cuh"
#include "elementwise.cuh"
#include "warp.cuh"

struct NotFinite {
	float *partial; // [blocks]
	const float *dp;
	index_t len;
};

KERNEL(column_threads, not_finite, NotFinite p) {
	float found = 0;
	flat(p.len, [&](index_t i, auto each) {
		auto v = pack_at<each>(&p.dp[i]);
#pragma unroll
		for (int e = 0; e < each; e++) found += !(v.at[e] - v.at[e] == 0);
	});
	found = column_sum(found, 1);
	if (threadIdx.x == 0) p.partial[blockIdx.x] = found;
}

struct LossScale {
	float *state;
	const float *partial;
	int parts, growth;
};

KERNEL(32, loss_scale, LossScale p) {
	float found = 0;
	for (int i = threadIdx.x; i < p.parts; i += 32) found += p.partial[i];
	found = warp_sum(found);
	if (threadIdx.x > 0) return;
	float &scale = p.state[0], &good = p.state[1], &unscale = p.state[2], &skipped = p.state[3];
	if (found == 0) {
		unscale = 1 / scale;
		good += 1;
		if (good == p.growth) good = 0, scale = fminf(2 * scale, 1 << 24);
	} else {
		unscale = good = 0;
		scale = fmaxf(scale / 2, 1);
		skipped += 1;
	}
}
