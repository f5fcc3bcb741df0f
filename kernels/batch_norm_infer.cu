// y[i,c] = act(γ[c]·(x[i,c]−runmean[c])/√(runvar[c]+eps) + β[c] + z[i,c])
//
// Bound: 8 bytes an element, 12 with z.
#include "columns.cuh"
#include "elementwise.cuh"

template <class T> struct BatchNormInfer {
	T *y;
	const T *x, *z;
	const float *gamma, *beta, *runmean, *runvar;
	Columns at;
	float eps;
	int act;
};

template <int each, class T> __device__ __forceinline__ void batch_norm_infer_by(const BatchNormInfer<T> &p) {
	typedef Pack<float, each> Floats;
	constexpr int ahead = rows_ahead<T, each>;
	int c = p.at.column();
	if (c >= p.at.c) return;
	Floats mean = pack_at<each>(&p.runmean[c]), scale = pack_at<each>(&p.gamma[c]), var = pack_at<each>(&p.runvar[c]), beta = pack_at<each>(&p.beta[c]);
#pragma unroll
	for (int e = 0; e < each; e++) scale.at[e] /= sqrtf(var.at[e] + p.eps);
	Pack<T, each> x[ahead], z[ahead];
	walk<ahead>(p.at,
		[&](int j, index_t at) {
			x[j] = pack_at<each>(&p.x[at]);
			if (p.z) z[j] = pack_at<each>(&p.z[at]);
		},
		[&](int j, index_t at) {
			Floats y;
#pragma unroll
			for (int e = 0; e < each; e++) y.at[e] = scale.at[e] * (x[j].at[e] - mean.at[e]) + beta.at[e] + (p.z ? z[j].at[e] : 0.f);
			put_pack(&p.y[at], activated(p.act, y));
		});
}
STORED_COLUMNS(batch_norm_infer, BatchNormInfer)
