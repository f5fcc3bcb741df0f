// for n, c: db[n,c] (+)= Σ over i < pixels of dy[n,i,c]·a[n,i,c]
//
// A block sums some columns of an image. Bound: 8 bytes an element.
#include "columns.cuh"

template <class T> struct GateBackward {
	T *db;
	const T *dy, *a;
	Columns at; // of one image, in one chunk
	int n, accumulate;
};

template <class T> __device__ void gate_backward_of(const GateBackward<T> &p) {
	int c = p.at.column();
	for (int n = blockIdx.z; n < p.n; n += gridDim.z) {
		float sum = 0;
		if (c < p.at.c)
			for (int i = p.at.first(); i < p.at.last(); i += p.at.step()) {
				index_t at = (index_t(n) * p.at.rows + i) * p.at.c + c;
				sum += p.dy[at] * p.a[at];
			}
		sum = column_sum(sum, p.at.width);
		if (threadIdx.x < p.at.width && c < p.at.c) {
			T &db = p.db[index_t(n) * p.at.c + c];
			db = p.accumulate ? db + sum : sum;
		}
	}
}
STORED(column_threads, gate_backward, GateBackward)
