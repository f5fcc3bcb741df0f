// With g[i,c] = dy[i,c]·act'(y[i,c]) and x̂ = (x−mean)·invstd:
//
// for c:
//   dβ[c] = Σ_i g[i,c],  dγ[c] = Σ_i g[i,c]·x̂[i,c]
//   signed[c] = γ[c]·dγ[c] + β[c]·dβ[c]
//   for i: dx[i,c] = γ[c]·invstd[c]·(g[i,c] − dβ[c]/rows − x̂[i,c]·dγ[c]/rows)
//          dz[i,c] (+)= g[i,c]
//
// Three kernels: the sums of every chunk of rows; each channel's gradients and
// its signed Taylor term, in float64; dx and dz. Where y is null it is computed again
// from x, as batch_norm_apply does; dx may be dy.
// Bound: 20 bytes an element, 28 where y is read, 4 or 8 more with dz.
#include "columns.cuh"
#include "elementwise.cuh"

template <class T> struct BatchNormSums {
	float *partial; // [2, chunks, c]: Σ g and Σ g·(x−mean)
	const T *dy, *y, *x;
	const float *gamma, *beta, *mean, *invstd;
	Columns at;
	int act;
};

template <class T> __device__ void batch_norm_sums_of(const BatchNormSums<T> &p) {
	int c = p.at.column();
	float sum = 0, products = 0;
	if (c < p.at.c) {
		float mean = p.mean[c], scale = p.gamma[c] * p.invstd[c], beta = p.beta[c];
		for (int i = p.at.first(); i < p.at.last(); i += p.at.step()) {
			index_t at = index_t(i) * p.at.c + c;
			float x = p.x[at] - mean, g = gated(p.act, p.dy[at], p.y ? float(p.y[at]) : scale * x + beta);
			sum += g;
			products += g * x;
		}
	}
	sum = column_sum(sum, p.at.width);
	products = column_sum(products, p.at.width);
	if (threadIdx.x < p.at.width && c < p.at.c) {
		p.partial[blockIdx.y * index_t(p.at.c) + c] = sum;
		p.partial[(gridDim.y + blockIdx.y) * index_t(p.at.c) + c] = products;
	}
}
STORED(column_threads, batch_norm_sums, BatchNormSums)

struct BatchNormGradients {
	float *dgamma, *dbeta, *signed_;
	const float *partial, *gamma, *beta, *invstd;
	Columns at; // over the rows of partial
};

KERNEL(column_threads, batch_norm_gradients, BatchNormGradients p) {
	int c = p.at.column();
	double dbeta = 0, dgamma = 0;
	if (c < p.at.c)
		for (int i = p.at.first(); i < p.at.rows; i += p.at.step()) {
			dbeta += p.partial[index_t(i) * p.at.c + c];
			dgamma += p.partial[(index_t(p.at.rows) + i) * p.at.c + c];
		}
	dbeta = column_sum(dbeta, p.at.width);
	dgamma = column_sum(dgamma, p.at.width);
	if (threadIdx.x >= p.at.width || c >= p.at.c) return;
	dgamma *= p.invstd[c];
	p.dbeta[c] = float(dbeta);
	p.dgamma[c] = float(dgamma);
	if (p.signed_) p.signed_[c] = float(p.gamma[c] * dgamma + p.beta[c] * dbeta);
}

template <class T> struct BatchNormInput {
	T *dx, *dz;
	const T *dy, *y, *x;
	const float *gamma, *beta, *mean, *invstd, *dgamma, *dbeta;
	Columns at;
	int act, accumulate_z;
};

template <class T> __device__ void batch_norm_input_of(const BatchNormInput<T> &p) {
	int c = p.at.column();
	if (c >= p.at.c) return;
	float mean = p.mean[c], invstd = p.invstd[c], scale = p.gamma[c] * invstd, beta = p.beta[c];
	float shift = p.dbeta[c] / p.at.rows, slope = invstd * p.dgamma[c] / p.at.rows;
	for (int i = p.at.first(); i < p.at.last(); i += p.at.step()) {
		index_t at = index_t(i) * p.at.c + c;
		float x = p.x[at] - mean, g = gated(p.act, p.dy[at], p.y ? float(p.y[at]) : scale * x + beta);
		p.dx[at] = scale * (g - shift - x * slope);
		if (p.dz) p.dz[at] = p.accumulate_z ? p.dz[at] + g : g;
	}
}
STORED(column_threads, batch_norm_input, BatchNormInput)
