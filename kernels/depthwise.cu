// Convolutions of every channel by itself, K = C = groups: the loops of
// conv_forward, conv_backward_data and conv_backward_filter without a sum over
// channels. A thread an element; neighbours take neighbouring channels.
// Bound: bytes, once over each operand; nine taps are read from the cache.
#include "columns.cuh"
#include "conv.cuh"
#include "pool.cuh"

template <class T> struct DepthwiseForward {
	T *y;
	const T *x;
	const float *w, *b;
	const T *z;
	Conv g;
	int act;
};

// y[n,p,q,c] = act(b[c] + z[n,p,q,c] + Σ over r, s of x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, c] · w[c,r,s])
template <class T> __device__ void depthwise_forward_of(const DepthwiseForward<T> &o) {
	const Conv &g = o.g;
	for FLAT(i, index_t(g.n) * g.p * g.q * g.k) {
		Place y(i, g.p, g.q, g.k);
		float sum = 0;
		for (int r = 0; r < g.r; r++)
			for (int s = 0; s < g.s; s++) {
				int h = y.h * g.stride[0] + r * g.dilation[0] - g.pad[0], w = y.w * g.stride[1] + s * g.dilation[1] - g.pad[1];
				if (within(h, g.h) && within(w, g.w)) sum += o.x[g.x(y.n, h, w) + y.c] * o.w[(index_t(y.c) * g.r + r) * g.s + s];
			}
		if (o.b) sum += o.b[y.c];
		if (o.z) sum += o.z[i];
		o.y[i] = activated(o.act, sum);
	}
}
STORED(256, depthwise_forward, DepthwiseForward)

template <class T> struct DepthwiseBackwardData {
	T *dx;
	const T *dy;
	const float *w;
	Conv g;
	int accumulate;
};

// dx[n,h,w,c] (+)= Σ over (r, s, p, q) that read x[n,h,w,c] of dy[n,p,q,c] · w[c,r,s]
template <class T> __device__ void depthwise_backward_data_of(const DepthwiseBackwardData<T> &o) {
	const Conv &g = o.g;
	for FLAT(i, index_t(g.n) * g.h * g.w * g.c) {
		Place x(i, g.h, g.w, g.c);
		float sum = o.accumulate ? o.dx[i] : 0.f;
		for (int r = 0; r < g.r; r++)
			for (int s = 0; s < g.s; s++) {
				int h = x.h + g.pad[0] - r * g.dilation[0], w = x.w + g.pad[1] - s * g.dilation[1];
				if (h % g.stride[0] != 0 || w % g.stride[1] != 0) continue;
				int p = h / g.stride[0], q = w / g.stride[1];
				if (within(p, g.p) && within(q, g.q)) sum += o.dy[g.y(x.n, p, q) + x.c] * o.w[(index_t(x.c) * g.r + r) * g.s + s];
			}
		o.dx[i] = sum;
	}
}
STORED(256, depthwise_backward_data, DepthwiseBackwardData)

template <class T> struct DepthwiseBackwardFilter {
	float *dw; // [chunks, c, r, s]: sum_partials adds them up
	const T *dy, *x;
	Conv g;
	Columns at; // over the rows npq of dy
};

// dw[j,c,r,s] = Σ over the npq of chunk j of dy[n,p,q,c] · x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, c]
//
// Grid: columns × chunks × taps.
template <class T> __device__ void depthwise_backward_filter_of(const DepthwiseBackwardFilter<T> &o) {
	const Conv &g = o.g;
	int c = o.at.column(), r = blockIdx.z / g.s, s = blockIdx.z % g.s;
	float sum = 0;
	if (c < g.c)
		for (int i = o.at.first(); i < o.at.last(); i += o.at.step()) {
			int q = i % g.q, p = i / g.q % g.p, n = i / g.q / g.p;
			int h = p * g.stride[0] + r * g.dilation[0] - g.pad[0], w = q * g.stride[1] + s * g.dilation[1] - g.pad[1];
			if (within(h, g.h) && within(w, g.w)) sum += o.dy[index_t(i) * g.c + c] * o.x[g.x(n, h, w) + c];
		}
	sum = column_sum(sum, o.at.width);
	if (threadIdx.x < o.at.width && c < g.c) o.dw[((index_t(blockIdx.y) * g.c + c) * g.r + r) * g.s + s] = sum;
}
STORED(column_threads, depthwise_backward_filter, DepthwiseBackwardFilter)
