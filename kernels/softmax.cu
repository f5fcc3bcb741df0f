// y[i,c] = e^x[i,c] / Σ over k of e^x[i,k] for i < rows
//
// A warp a row. Bound: 8 bytes an element, from the cache where it is read again.
#include "storage.cuh"
#include "warp.cuh"

constexpr int softmax_warps = 4;

template <class T> struct Softmax {
	T *y;
	const T *x;
	int rows, c;
};

template <class T> __device__ void softmax_of(const Softmax<T> &p) {
	int row = blockIdx.x * softmax_warps + threadIdx.x / 32, lane = threadIdx.x % 32;
	if (row >= p.rows) return;
	const T *x = p.x + index_t(row) * p.c;
	T *y = p.y + index_t(row) * p.c;
	float top = x[0];
	for (int c = lane; c < p.c; c += 32) top = fmaxf(top, x[c]);
	top = warp_max(top);
	float sum = 0;
	for (int c = lane; c < p.c; c += 32) sum += expf(x[c] - top);
	sum = warp_sum(sum);
	for (int c = lane; c < p.c; c += 32) y[c] = expf(x[c] - top) / sum;
}
STORED(32 * softmax_warps, softmax, Softmax)
