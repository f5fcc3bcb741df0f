// for c:
//   mean[c] = Σ_i x[i,c] / rows,  var = Σ_i (x[i,c]−mean[c])² / rows,  invstd[c] = 1/√(var+eps)
//   runmean[c] = (1−momentum)·runmean[c] + momentum·mean[c]
//   runvar[c]  = (1−momentum)·runvar[c]  + momentum·var·rows/(rows−1)
//   for i < rows: y[i,c] = act(γ[c]·(x[i,c]−mean[c])·invstd[c] + β[c] + z[i,c])
//
// Kernels: the moments of runs of rows, unless a convolution has left them behind;
// many runs made few; each channel's statistics; y.
// Bound: 12 bytes an element, 16 with z; 4 less after such a convolution.
#include "elementwise.cuh"
#include "moments.cuh"

template <class T> struct BatchNormMoments {
	float *partial; // [3, chunks, c]
	const T *x;
	Columns at;
};

template <int each, class T> __device__ __forceinline__ void batch_norm_moments_by(const BatchNormMoments<T> &p) {
	typedef Pack<float, each> Floats;
	constexpr int ahead = rows_ahead<T, each>;
	int c = p.at.column();
	Floats shift = {}, sum = {}, squares = {};
	if (c < p.at.c) {
		shift = widened(pack_at<each>(&p.x[blockIdx.y * index_t(p.at.chunk) * p.at.c + c]));
		Pack<T, each> x[ahead];
		walk<ahead>(p.at, [&](int j, index_t at) { x[j] = pack_at<each>(&p.x[at]); },
			[&](int j, index_t) {
#pragma unroll
				for (int e = 0; e < each; e++) {
					float v = x[j].at[e] - shift.at[e];
					sum.at[e] += v;
					squares.at[e] += v * v;
				}
			});
	}
	sum = column_sum(sum, p.at.width);
	squares = column_sum(squares, p.at.width);
	if (threadIdx.x >= p.at.width || c >= p.at.c) return;
	put_pack(&p.partial[blockIdx.y * index_t(p.at.c) + c], shift);
	put_pack(&p.partial[(gridDim.y + blockIdx.y) * index_t(p.at.c) + c], sum);
	put_pack(&p.partial[(2 * gridDim.y + blockIdx.y) * index_t(p.at.c) + c], squares);
}
STORED_COLUMNS(batch_norm_moments, BatchNormMoments)

// batch_norm_merge makes one run of every chunk of them.
struct BatchNormMerge {
	float *partial; // [3, chunks, c]
	Runs of;
};

KERNEL(column_threads, batch_norm_merge, BatchNormMerge p) {
	int c = p.of.at.column(), width = p.of.at.c;
	Moments all = p.of.added(c);
	if (threadIdx.x >= p.of.at.width || c >= width) return;
	p.partial[blockIdx.y * index_t(width) + c] = float(all.shift);
	p.partial[(gridDim.y + blockIdx.y) * index_t(width) + c] = float(all.sum);
	p.partial[(2 * gridDim.y + blockIdx.y) * index_t(width) + c] = float(all.squares);
}

struct BatchNormStatistics {
	float *mean, *invstd, *runmean, *runvar;
	Runs of; // in one chunk
	float eps, momentum;
};

KERNEL(column_threads, batch_norm_statistics, BatchNormStatistics p) {
	int c = p.of.at.column();
	Moments all = p.of.added(c);
	if (threadIdx.x >= p.of.at.width || c >= p.of.at.c) return;
	double n = p.of.rows, mean = all.sum / n, var = fmax(all.squares / n - mean * mean, 0.0);
	if (all.squares != all.squares) var = all.squares; // fmax would hide a NaN
	mean += all.shift;
	double unbiased = n > 1 ? var * n / (n - 1) : var;
	p.mean[c] = float(mean);
	p.invstd[c] = float(1 / sqrt(var + p.eps));
	p.runmean[c] = float((1 - double(p.momentum)) * p.runmean[c] + p.momentum * mean);
	p.runvar[c] = float((1 - double(p.momentum)) * p.runvar[c] + p.momentum * unbiased);
}

template <class T> struct BatchNormApply { // engine.BatchNormAgain, too
	T *y;
	const T *x, *z;
	const float *gamma, *beta, *mean, *invstd;
	Columns at;
	int act;
};

template <int each, class T> __device__ __forceinline__ void batch_norm_apply_by(const BatchNormApply<T> &p) {
	typedef Pack<float, each> Floats;
	constexpr int ahead = rows_ahead<T, each>;
	int c = p.at.column();
	if (c >= p.at.c) return;
	Floats mean = pack_at<each>(&p.mean[c]), scale = pack_at<each>(&p.invstd[c]), gamma = pack_at<each>(&p.gamma[c]), beta = pack_at<each>(&p.beta[c]);
#pragma unroll
	for (int e = 0; e < each; e++) scale.at[e] *= gamma.at[e];
	Pack<T, each> x[ahead], z[ahead];
	sweep<ahead, DOWN>(p.at, // after a convolution
		[&](int j, index_t at) {
			x[j] = pack_at<each>(&p.x[at]);
			if (p.z) z[j] = pack_at<each>(&p.z[at]);
		},
		[&](int j, index_t at) {
			Floats y;
#pragma unroll
			for (int e = 0; e < each; e++) y.at[e] = scale.at[e] * (x[j].at[e] - mean.at[e]) + beta.at[e] + (p.z ? z[j].at[e] : 0.f);
			put_pack(&p.y[at], gate(p.act, y));
		});
}
STORED_COLUMNS(batch_norm_apply, BatchNormApply)
