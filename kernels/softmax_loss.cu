// for n with label 0 ≤ l < c, π = softmax(x[n,:]), target t[c] = s/C + (1−s)·(c = l):
//   metrics[0] += −Σ_c t[c]·log π[c]
//   metrics[1] += 1 if x[n,l] is the largest logit (ties: the lower index wins)
//   metrics[2] += 1 if x[n,l] is among the five largest
//   dx[n,c] = scale·(π[c] − t[c]) / N
//
// Two kernels: a warp a row, which leaves the row's metrics; their sums, in order.
// Bound: 8 bytes a logit, from the cache where it is read again.
#include "storage.cuh"
#include "warp.cuh"

constexpr int warps = 4;

template <class T> struct SoftmaxLoss {
	float *rows; // [3, n]
	T *dx;
	const T *x;
	const float *labels, *scale; // scale[0] where it is there, else 1
	int n, c;
	float smoothing;
};

template <class T> __device__ void softmax_loss_of(const SoftmaxLoss<T> &p) {
	int n = blockIdx.x * warps + threadIdx.x / 32, lane = threadIdx.x % 32;
	if (n >= p.n) return;
	const T *x = p.x + index_t(n) * p.c;
	T *dx = p.dx ? p.dx + index_t(n) * p.c : nullptr;
	if (!(p.labels[n] >= 0 && p.labels[n] < p.c)) { // a row that fills up the batch
		if (lane < 3) p.rows[lane * index_t(p.n) + n] = 0;
		if (dx)
			for (int c = lane; c < p.c; c += 32) dx[c] = 0;
		return;
	}
	int label = int(p.labels[n]);
	float own = x[label];

	float top = x[0];
	for (int c = lane; c < p.c; c += 32) top = fmaxf(top, x[c]);
	top = warp_max(top);
	float exps = 0, sum = 0;
	int before = 0; // a logit that is not a number has everything before it
	for (int c = lane; c < p.c; c += 32) {
		float v = x[c];
		exps += expf(v - top);
		sum += v - top;
		before += !(v < own || (v == own && c >= label));
	}
	exps = warp_sum(exps);
	sum = warp_sum(sum);
	before = warp_sum(before);

	float uniform = p.smoothing / p.c, scale = p.scale ? p.scale[0] : 1;
	if (lane == 0) {
		p.rows[n] = logf(exps) - uniform * sum - (1 - p.smoothing) * (own - top);
		p.rows[index_t(p.n) + n] = before < 1;
		p.rows[2 * index_t(p.n) + n] = before < 5;
	}
	if (dx)
		for (int c = lane; c < p.c; c += 32) dx[c] = scale * (expf(x[c] - top) / exps - uniform - (c == label ? 1 - p.smoothing : 0)) / p.n;
}
STORED(32 * warps, softmax_loss, SoftmaxLoss)

struct LossMetrics {
	float *metrics;
	const float *rows;
	int n;
};

KERNEL(96, loss_metrics, LossMetrics p) { // a warp a metric
	int metric = threadIdx.x / 32;
	double sum = 0;
	for (int n = threadIdx.x % 32; n < p.n; n += 32) sum += p.rows[metric * index_t(p.n) + n];
	sum = warp_sum(sum);
	if (threadIdx.x % 32 == 0) p.metrics[metric] = float(sum);
}
