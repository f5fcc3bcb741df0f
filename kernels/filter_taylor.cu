// signed[k] = Σ over i < len of w[k,i]·dw[k,i]
//
// A block a filter, in float64. Bound: 8 bytes a weight.
#include "columns.cuh"

struct FilterTaylor {
	float *signed_;
	const float *w, *dw;
	int len;
};

KERNEL(column_threads, filter_taylor, FilterTaylor p) {
	index_t start = index_t(blockIdx.x) * p.len;
	double sum = 0;
	for (int i = threadIdx.x; i < p.len; i += column_threads) sum += double(p.w[start + i]) * p.dw[start + i];
	sum = column_sum(sum, 1);
	if (threadIdx.x == 0) p.signed_[blockIdx.x] = float(sum);
}
