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

template <class T> __device__ void batch_norm_infer_of(const BatchNormInfer<T> &p) {
	int c = p.at.column();
	if (c >= p.at.c) return;
	float mean = p.runmean[c], scale = p.gamma[c] / sqrtf(p.runvar[c] + p.eps), beta = p.beta[c];
	for (int i = p.at.first(); i < p.at.last(); i += p.at.step()) {
		index_t at = index_t(i) * p.at.c + c;
		p.y[at] = activated(p.act, scale * (p.x[at] - mean) + beta + (p.z ? p.z[at] : 0.f));
	}
}
STORED(column_threads, batch_norm_infer, BatchNormInfer)
