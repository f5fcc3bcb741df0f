// for i < rows: y[i,c] = x[i,c] for c < C, 0 for C ≤ c < D
//
// Channels that copies of four elements can take, where there are fewer: a network's
// first convolution. A thread a row. Bound: 4·(C + D) bytes a row.
#include "elementwise.cuh"

template <class T> struct PadChannels {
	T *y;
	const T *x;
	index_t rows;
	int c, d; // d is a multiple of four
};

template <class T> __device__ void pad_channels_of(const PadChannels<T> &p) {
	for FLAT(i, p.rows)
		for (int c = 0; c < p.d; c += 4) {
			Pack<float, 4> v;
#pragma unroll
			for (int e = 0; e < 4; e++) v.at[e] = c + e < p.c ? float(p.x[i * p.c + c + e]) : 0.f;
			put_pack(&p.y[i * p.d + c], v);
		}
}
STORED(256, pad_channels, PadChannels)
