// for k, r, s, c < Cg:
//   dw[k,r,s,c] = Σ over n, p, q of dy[n,p,q,k] · x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, g·Cg+c]
//
// For each group the product of A[k, npq] = dy and B[npq, rsc] = x. The sum over
// npq is long and the tiles are few: it is split into parts, and sum_partials adds
// dw[part, k, r, s, c] up in order; or, where that is allowed, all parts add to one dw
// that was zero, in whatever order they end.
// Grid: tiles of RSCg × tiles of Kg × groups·parts.
// Bound: 2·N·P·Q·K·R·S·Cg FLOP, and once over dy, x and dw.
//
// Masked, one group: dw is 0 where k or c is off, and only the rest is computed. Bit
// for bit the dense kernel on zeroed data.
#include "conv.cuh"
#include "wgmma.cuh"

template <class T> struct ConvBackwardFilter {
	float *dw; // [parts, k, r, s, cg]
	const T *dy, *x;
	Conv g;
	int parts, chunk; // npq of each part
	int atomics;
};

template <class T> struct MaskedConvBackwardFilter {
	ConvBackwardFilter<T> o;
	Mask in, out;
};

// With plain there is one tap, which reads each pixel once: B is x as it lies.
template <class T, class Channels, bool plain = false> struct FilterProblem {
	typedef T A, B;
	const ConvBackwardFilter<T> &o;
	int group, n_last, k_first, k_last;
	float *dw;
	Channels in, out;

	// Column n: the filter's taps and, fastest, the channels that are on; then those that are off.
	__device__ int columns_on() const { return o.g.r * o.g.s * in.kept(); }
	struct Tap { int rs, c; };
	__device__ Tap tap(int n) const {
		int kept = in.kept(), off = o.g.cg() - kept;
		if (n < columns_on()) return {n / kept, in.at(n % kept)};
		n -= columns_on();
		return {n / off, in.at(kept + n % off)};
	}

	struct Row { const T *at; bool valid; };
	struct Column { const T *at; int h, w; }; // where it reads x for the first of y
	struct Common { int n, h, w, k; };        // so far from there
	struct Jump { int n, h, w, k; };
	static constexpr bool a_along_k = false, b_along_k = false;

	__device__ Row row(int m) const { return {&o.dy[group * out.n + out.at(m)], m < out.kept()}; }
	__device__ Column column(int n) const {
		const Conv &g = o.g;
		if (n >= columns_on()) return {o.x, nowhere, nowhere};
		if (plain) return {&o.x[group * in.n + n], 0, 0};
		Tap t = tap(n);
		int h = t.rs / g.s * g.dilation[0] - g.pad[0], w = t.rs % g.s * g.dilation[1] - g.pad[1];
		return {beyond(o.x, (index_t(h) * g.w + w) * g.c + group * in.n + t.c), h, w};
	}
	__device__ Common common(int k) const {
		Jump from = jump(k);
		return {from.n, from.h, from.w, k};
	}
	__device__ Jump jump(int by) const {
		const Conv &g = o.g;
		if (plain) return {0, 0, 0, by};
		return {by / g.q / g.p, by / g.q % g.p * g.stride[0], by % g.q * g.stride[1], by};
	}
	__device__ void advance(Common &k, int by) const {
		k.k += by;
		if (plain) return;
		k.w += by * o.g.stride[1];
#pragma unroll 1
		while (k.w >= o.g.q * o.g.stride[1]) carry(k);
	}
	__device__ void advance(Common &k, const Jump &by) const {
		k = {k.n + by.n, k.h + by.h, k.w + by.w, k.k + by.k};
		if (!plain) carry(k);
	}
	__device__ void carry(Common &k) const {
		const Conv &g = o.g;
		if (k.w >= g.q * g.stride[1]) k.w -= g.q * g.stride[1], k.h += g.stride[0];
		if (k.h >= g.p * g.stride[0]) k.h -= g.p * g.stride[0], k.n++;
	}
	__device__ Source<T> a(const Row &m, const Common &k) const { return {beyond(m.at, k.k, o.g.k), m.valid && k.k < k_last}; }
	__device__ Source<T> b(const Common &k, const Column &n) const {
		const Conv &g = o.g;
		bool on = k.k < k_last;
		if (plain) return {beyond(n.at, k.k, g.c), n.h == 0 && on};
		uint32_t pixel = (uint32_t(k.n) * g.h + k.h) * g.w + k.w;
		return {beyond(n.at, pixel, g.c), on && within(n.h + k.h, g.h) && within(n.w + k.w, g.w)};
	}
	__device__ bool any(int, int) const { return true; }
	__device__ bool any(const Common &) const { return true; }
	static constexpr bool masked = false; // of what is summed nothing is off
	__device__ bool quads() const { return in.n % 4 == 0; }
	template <int each> __device__ void store(int m, int n, Pack<float, each> v) const {
		if (m >= out.n || n >= n_last) return;
		if (m >= out.kept() || n >= columns_on()) v = {};
		Tap t = plain ? Tap{0, n} : tap(n);
		float *at = &dw[(index_t(group) * out.n + out.at(m)) * n_last + t.rs * in.n + t.c];
		if (!o.atomics) return put_pack(at, v);
#pragma unroll
		for (int i = 0; i < each; i++) atomicAdd(at + i, v.at[i]);
	}
};

template <class Gemm, bool plain, class T, class Channels>
__device__ void conv_backward_filter_by(const ConvBackwardFilter<T> &o, const Channels &in, const Channels &out) {
	const Conv &g = o.g;
	int part = blockIdx.z % o.parts, filter = g.r * g.s * g.cg();
	FilterProblem<T, Channels, plain> problem = {o, int(blockIdx.z) / o.parts, filter,
		part * o.chunk, min(g.n * g.p * g.q, (part + 1) * o.chunk), o.dw + (o.atomics ? 0 : index_t(part) * g.k * filter), in, out};
	int m0 = blockIdx.y * Gemm::m, n0 = blockIdx.x * Gemm::n;
	if (m0 >= out.kept() || n0 >= problem.columns_on()) problem.k_last = problem.k_first; // nothing but zeros to write
	Gemm::run(problem, m0, n0);
}

#define DENSE_BACKWARD_FILTER(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T>), conv_backward_filter##suffix, ConvBackwardFilter<T> o) { \
		conv_backward_filter_by<Gemm, false>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}); \
	}
#define PLAIN_BACKWARD_FILTER(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T>), conv_backward_filter##suffix, ConvBackwardFilter<T> o) { \
		conv_backward_filter_by<Gemm, true>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}); \
	}
#define MASKED_BACKWARD_FILTER(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T>), masked_conv_backward_filter##suffix, MaskedConvBackwardFilter<T> m) { \
		conv_backward_filter_by<Gemm, false>(m.o, MaskedChannels(m.in, m.o.g.c, INPUT), MaskedChannels(m.out, m.o.g.k, OUTPUT)); \
	}
EACH_GEMM(DENSE_BACKWARD_FILTER)
EACH_GEMM(MASKED_BACKWARD_FILTER)
EACH_ONES(DENSE_BACKWARD_FILTER)
EACH_ONES(MASKED_BACKWARD_FILTER)
EACH_1X1(PLAIN_BACKWARD_FILTER)
EACH_WARPGROUP(DENSE_BACKWARD_FILTER)
EACH_WARPGROUP(MASKED_BACKWARD_FILTER)
WARPGROUP_1X1(PLAIN_BACKWARD_FILTER)
