// dx[n,h,w,c] (+)= Σ over the windows (p, q) whose first x, in order of r then s,
// that equals y[n,p,q,c] is x[n,h,w,c], of dy[n,p,q,c]
//
// A block has some rows of an image. It finds that first tap of every window that sees
// them, in shared memory; then each pixel gathers from the windows that see it, so nothing
// is added atomically.
// Grid: images' strips of rows × groups of lanes·each channels.
// Bound: 8 bytes an element of x, 12 where it adds, and 8 of y.
#include "pool.cuh"

template <class T> struct MaxPoolBackward {
	T *dx;
	const T *dy, *y, *x;
	Pool g;
	int accumulate;
	int rows, lanes, each; // of a strip; threads side by side along channels, and channels of each
};

template <int each, class T> __device__ __forceinline__ void max_pool_backward_by(const MaxPoolBackward<T> &o) {
	const Pool &g = o.g;
	DYNAMIC_SHARED(float4, shared);
	auto taps = reinterpret_cast<Pack<uint16_t, each> *>(shared); // [p, q, lane]
	int strips = ceil_div(g.h, o.rows), n = blockIdx.x / strips, top = blockIdx.x % strips * o.rows, rows = min(o.rows, g.h - top);
	int first = readers(top, g.stride[0], g.pad[0], g.r, g.p).first, last = readers(top + rows - 1, g.stride[0], g.pad[0], g.r, g.p).last;
	int lane = threadIdx.x % o.lanes, c = (blockIdx.y * o.lanes + lane) * each, start = threadIdx.x / o.lanes, step = blockDim.x / o.lanes;

	// The rows of some pixels, a thread's pixel after pixel.
	auto each_of = [&](int h, int last, int width, auto act) {
		for (int w = start;; w += step) {
			for (; w >= width; w -= width) h++;
			if (h >= last) return;
			act(h, w);
		}
	};
	if (c < g.c)
		each_of(first, last, g.q, [&](int p, int q) {
			int up = p * g.stride[0] - g.pad[0], left = q * g.stride[1] - g.pad[1];
			Span hs = inside(p, g.stride[0], g.pad[0], g.r, g.h), ws = inside(q, g.stride[1], g.pad[1], g.s, g.w);
			Pack<float, each> y = widened(pack_at<each>(&o.y[index_t((n * g.p + p) * g.q + q) * g.c + c]));
			uint32_t tap[each];
#pragma unroll
			for (int e = 0; e < each; e++) tap[e] = 0xffff; // none
			for (int h = hs.last - 1; h >= hs.first; h--) {
				const T *at = &o.x[index_t((n * g.h + h) * g.w) * g.c + c];
#pragma unroll 3
				for (int w = ws.last - 1; w >= ws.first; w--) {
					auto x = widened(pack_at<each>(&at[index_t(w) * g.c]));
#pragma unroll
					for (int e = 0; e < each; e++)
						if (x.at[e] == y.at[e]) tap[e] = (h - up) * g.s + w - left;
				}
			}
			Pack<uint16_t, each> all;
#pragma unroll
			for (int e = 0; e < each; e++) all.at[e] = uint16_t(tap[e]);
			taps[((p - first) * g.q + q) * o.lanes + lane] = all;
		});
	__syncthreads();
	if (c >= g.c) return;

	each_of(top, top + rows, g.w, [&](int h, int w) {
		index_t i = index_t((n * g.h + h) * g.w + w) * g.c + c;
		Pack<float, each> sum = {};
		if (o.accumulate) sum = widened(pack_at<each>(&o.dx[i]));
		int p_last = min(int(unsigned(h + g.pad[0]) / unsigned(g.stride[0])), g.p - 1), q_last = min(int(unsigned(w + g.pad[1]) / unsigned(g.stride[1])), g.q - 1);
		for (int p = p_last, r = h + g.pad[0] - p * g.stride[0]; p >= 0 && r < g.r; p--, r += g.stride[0])
			for (int q = q_last, s = w + g.pad[1] - q * g.stride[1]; q >= 0 && s < g.s; q--, s += g.stride[1]) {
				Pack<uint16_t, each> tap = taps[((p - first) * g.q + q) * o.lanes + lane];
				auto dy = widened(pack_at<each>(&o.dy[index_t((n * g.p + p) * g.q + q) * g.c + c]));
#pragma unroll
				for (int e = 0; e < each; e++)
					if (tap.at[e] == r * g.s + s) sum.at[e] += dy.at[e];
			}
		put_pack(&o.dx[i], sum);
	});
}
template <class T> __device__ __forceinline__ void max_pool_backward_of(const MaxPoolBackward<T> &o) { o.each == 1 ? max_pool_backward_by<1>(o) : max_pool_backward_by<16 / sizeof(T)>(o); }
STORED_BLOCKS(256, 4, max_pool_backward, MaxPoolBackward)
