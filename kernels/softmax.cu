// y[i,c] = e^x[i,c] / Σ over k of e^x[i,k] for i < rows
//
// A warp a row. Bound: 8 bytes an element, from the cache where it is read again.
#include "warp.cuh"

constexpr int softmax_warps = 4;

struct Softmax {
	float *y;
	const float *x;
	int rows, c;
};

KERNEL(32 * softmax_warps, softmax, Softmax p) {
	int row = blockIdx.x * softmax_warps + threadIdx.x / 32, lane = threadIdx.x % 32;
	if (row >= p.rows) return;
	const float *x = p.x + index_t(row) * p.c;
	float *y = p.y + index_t(row) * p.c;
	float top = x[0];
	for (int c = lane; c < p.c; c += 32) top = fmaxf(top, x[c]);
	top = warp_max(top);
	float sum = 0;
	for (int c = lane; c < p.c; c += 32) sum += expf(x[c] - top);
	sum = warp_sum(sum);
	for (int c = lane; c < p.c; c += 32) y[c] = expf(x[c] - top) / sum;
}
