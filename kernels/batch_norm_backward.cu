// With g[i,c] = dy[i,c]·act'(y[i,c]) and x̂ = (x−mean)·invstd:
//
// for c:
//   dβ[c] = Σ_i g[i,c],  dγ[c] = Σ_i g[i,c]·x̂[i,c]
//   signed[c] = γ[c]·dγ[c] + β[c]·dβ[c]
//   for i: dx[i,c] = γ[c]·invstd[c]·(g[i,c] − dβ[c]/rows − x̂[i,c]·dγ[c]/rows)
//          dz[i,c] (+)= g[i,c]
//
// Three kernels: the sums of every block's rows; each channel's gradients and
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

template <int each, class T> __device__ __forceinline__ void batch_norm_sums_by(const BatchNormSums<T> &p) {
	typedef Pack<float, each> Floats;
	constexpr int ahead = rows_ahead<T, each>;
	int c = p.at.column();
	Floats sum = {}, products = {};
	if (c < p.at.c) {
		Floats mean = pack_at<each>(&p.mean[c]), scale = pack_at<each>(&p.invstd[c]), gamma = pack_at<each>(&p.gamma[c]), beta = pack_at<each>(&p.beta[c]);
#pragma unroll
		for (int e = 0; e < each; e++) scale.at[e] *= gamma.at[e];
		Pack<T, each> x[ahead], y[ahead], dy[ahead];
		sweep<ahead, DOWN>(p.at, // after a convolution
			[&](int j, index_t at) {
				x[j] = pack_at<each>(&p.x[at]);
				dy[j] = pack_at<each>(&p.dy[at]);
				if (p.y) y[j] = pack_at<each>(&p.y[at]);
			},
			[&](int j, index_t) {
#pragma unroll
				for (int e = 0; e < each; e++) {
					float v = x[j].at[e] - mean.at[e], g = gated(p.act, dy[j].at[e], p.y ? float(y[j].at[e]) : scale.at[e] * v + beta.at[e]);
					sum.at[e] += g;
					products.at[e] += g * v;
				}
			});
	}
	sum = column_sum(sum, p.at.width);
	products = column_sum(products, p.at.width);
	if (threadIdx.x >= p.at.width || c >= p.at.c) return;
	put_pack(&p.partial[blockIdx.y * index_t(p.at.c) + c], sum);
	put_pack(&p.partial[(gridDim.y + blockIdx.y) * index_t(p.at.c) + c], products);
}
STORED_COLUMNS(batch_norm_sums, BatchNormSums)

struct BatchNormGradients {
	float *dgamma, *dbeta, *signed_;
	const float *partial, *gamma, *beta, *invstd;
	Columns at; // over the rows of partial
};

KERNEL(column_threads, batch_norm_gradients, BatchNormGradients p) {
	int c = p.at.column();
	double dbeta = 0, dgamma = 0;
	if (c < p.at.c) {
		constexpr int ahead = 4;
		index_t plane = index_t(p.at.rows) * p.at.c;
		float sum[ahead], products[ahead];
		walk<ahead>(p.at, [&](int j, index_t i) { sum[j] = p.partial[i], products[j] = p.partial[plane + i]; },
			[&](int j, index_t) { dbeta += sum[j], dgamma += products[j]; });
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

template <int each, class T> __device__ __forceinline__ void batch_norm_input_by(const BatchNormInput<T> &p) {
	typedef Pack<float, each> Floats;
	constexpr int ahead = rows_ahead<T, each> / 2; // for the registers
	int c = p.at.column();
	if (c >= p.at.c) return;
	Floats mean = pack_at<each>(&p.mean[c]), invstd = pack_at<each>(&p.invstd[c]), scale = pack_at<each>(&p.gamma[c]), beta = pack_at<each>(&p.beta[c]);
	Floats shift = pack_at<each>(&p.dbeta[c]), slope = pack_at<each>(&p.dgamma[c]);
#pragma unroll
	for (int e = 0; e < each; e++) {
		scale.at[e] *= invstd.at[e];
		shift.at[e] /= p.at.rows;
		slope.at[e] = invstd.at[e] * slope.at[e] / p.at.rows;
	}
	Pack<T, each> x[ahead], y[ahead], dy[ahead], dz[ahead];
	sweep<ahead, UP>(p.at,
		[&](int j, index_t at) {
			x[j] = pack_at<each>(&p.x[at]);
			dy[j] = pack_at<each>(&p.dy[at]);
			if (p.y) y[j] = pack_at<each>(&p.y[at]);
			if (p.accumulate_z) dz[j] = pack_at<each>(&p.dz[at]);
		},
		[&](int j, index_t at) {
			Floats dx, g;
#pragma unroll
			for (int e = 0; e < each; e++) {
				float v = x[j].at[e] - mean.at[e];
				g.at[e] = gated(p.act, dy[j].at[e], p.y ? float(y[j].at[e]) : scale.at[e] * v + beta.at[e]);
				dx.at[e] = scale.at[e] * (g.at[e] - shift.at[e] - v * slope.at[e]);
			}
			put_pack(&p.dx[at], dx);
			if (!p.dz) return;
			if (p.accumulate_z) g += widened(dz[j]);
			put_pack(&p.dz[at], g);
		});
}
STORED_COLUMNS(batch_norm_input, BatchNormInput)
