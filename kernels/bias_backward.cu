// partial[j,c] = Σ over the rows i of chunk j of dy[i,c]
//
// sum_partials makes db of it. Bound: 4 bytes an element of dy.
#include "columns.cuh"

template <class T> struct BiasBackward {
	float *partial;
	const T *dy;
	Columns at;
};

template <class T> __device__ void bias_backward_of(const BiasBackward<T> &p) {
	int c = p.at.column();
	float sum = 0;
	if (c < p.at.c)
		for (int i = p.at.first(); i < p.at.last(); i += p.at.step()) sum += p.dy[index_t(i) * p.at.c + c];
	sum = column_sum(sum, p.at.width);
	if (threadIdx.x < p.at.width && c < p.at.c) p.partial[blockIdx.y * index_t(p.at.c) + c] = sum;
}
STORED(column_threads, bias_backward, BiasBackward)
