// partial[j,c] = Σ over the rows i of chunk j of dy[i,c]
//
// sum_partials makes db of it. Bound: 4 bytes an element of dy.
#include "columns.cuh"

template <class T> struct BiasBackward {
	float *partial;
	const T *dy;
	Columns at;
};

template <int each, class T> __device__ __forceinline__ void bias_backward_by(const BiasBackward<T> &p) {
	constexpr int ahead = rows_ahead<T, each>;
	int c = p.at.column();
	Pack<float, each> sum = {};
	if (c < p.at.c) {
		Pack<T, each> dy[ahead];
		walk<ahead>(p.at, [&](int j, index_t at) { dy[j] = pack_at<each>(&p.dy[at]); }, [&](int j, index_t) { sum += widened(dy[j]); });
	}
	sum = column_sum(sum, p.at.width);
	if (threadIdx.x < p.at.width && c < p.at.c) put_pack(&p.partial[blockIdx.y * index_t(p.at.c) + c], sum);
}
STORED_COLUMNS(bias_backward, BiasBackward)
