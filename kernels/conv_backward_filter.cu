// for k, r, s, c < Cg:
//   dw[k,r,s,c] = Σ over n, p, q of dy[n,p,q,k] · x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, g·Cg+c]
//
// For each group the product of A[k, npq] = dy and B[npq, rsc] = x. The sum over
// npq is long and the tiles are few: it is split into parts, and sum_partials adds
// dw[part, k, r, s, c] up in order.
// Grid: tiles of RSCg × tiles of Kg × groups·parts.
// Bound: 2·N·P·Q·K·R·S·Cg FLOP, and once over dy, x and dw.
//
// Masked, one group: dw is 0 where k or c is off, and only the rest is computed. Bit
// for bit the dense kernel on zeroed data.
#include "conv.cuh"
#include "gemm.cuh"

struct ConvBackwardFilter {
	float *dw; // [parts, k, r, s, cg]
	const float *dy, *x;
	Conv g;
	int parts, chunk; // npq of each part
};

struct MaskedConvBackwardFilter {
	ConvBackwardFilter o;
	Mask in, out;
};

template <class Channels> struct FilterProblem {
	const ConvBackwardFilter &o;
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

	struct Row { index_t k; bool valid; };
	struct Column { int h, w, c; };
	struct Common { index_t image, pixel; int h, w; bool valid; };
	static constexpr bool a_along_k = false, b_along_k = false;

	__device__ Row row(int m) const { return {group * o.g.kg() + out.at(m), m < out.kept()}; }
	__device__ Column column(int n) const {
		const Conv &g = o.g;
		if (n >= columns_on()) return {nowhere, nowhere, 0};
		Tap t = tap(n);
		return {t.rs / g.s * g.dilation[0] - g.pad[0], t.rs % g.s * g.dilation[1] - g.pad[1], group * g.cg() + t.c};
	}
	__device__ Common common(int k) const {
		const Conv &g = o.g;
		if (k >= k_last) return {0, 0, nowhere, nowhere, false};
		int q = k % g.q, p = k / g.q % g.p, n = k / g.q / g.p;
		return {g.x(n, 0, 0), index_t(k) * g.k, p * g.stride[0], q * g.stride[1], true};
	}
	__device__ float a(const Row &m, const Common &k) const { return m.valid && k.valid ? o.dy[k.pixel + m.k] : 0; }
	__device__ float b(const Common &k, const Column &n) const {
		int h = k.h + n.h, w = k.w + n.w;
		if (!within(h, o.g.h) || !within(w, o.g.w)) return 0;
		return o.x[k.image + (index_t(h) * o.g.w + w) * o.g.c + n.c];
	}
	__device__ bool any(int) const { return true; }
	__device__ void store(int m, int n, float v) const {
		if (m >= o.g.kg() || n >= n_last) return;
		if (m >= out.kept() || n >= columns_on()) v = 0;
		Tap t = tap(n);
		dw[(index_t(group) * o.g.kg() + out.at(m)) * n_last + t.rs * o.g.cg() + t.c] = v;
	}
};

template <class Math, class Channels>
__device__ void conv_backward_filter_by(const ConvBackwardFilter &o, const Channels &in, const Channels &out, GemmTiles &tiles) {
	const Conv &g = o.g;
	int part = blockIdx.z % o.parts, filter = g.r * g.s * g.cg();
	FilterProblem<Channels> problem = {o, int(blockIdx.z) / o.parts, filter,
		part * o.chunk, min(g.n * g.p * g.q, (part + 1) * o.chunk), o.dw + index_t(part) * g.k * filter, in, out};
	int m0 = blockIdx.y * tile_m, n0 = blockIdx.x * tile_n;
	if (m0 >= out.kept() || n0 >= problem.columns_on()) problem.k_last = problem.k_first; // nothing but zeros to write
	gemm<Math>(problem, tiles, m0, n0);
}

KERNEL(gemm_threads, conv_backward_filter, ConvBackwardFilter o) {
	__shared__ GemmTiles tiles;
	conv_backward_filter_by<Float32>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}, tiles);
}

KERNEL(gemm_threads, conv_backward_filter_tf32, ConvBackwardFilter o) {
	__shared__ GemmTiles tiles;
	conv_backward_filter_by<Tf32>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}, tiles);
}

KERNEL(gemm_threads, conv_backward_filter_bf16, ConvBackwardFilter o) {
	__shared__ GemmTiles tiles;
	conv_backward_filter_by<Bf16>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}, tiles);
}

KERNEL(gemm_threads, masked_conv_backward_filter, MaskedConvBackwardFilter m) {
	__shared__ GemmTiles tiles;
	__shared__ bool flags[2][max_chunks];
	conv_backward_filter_by<Float32>(m.o, MaskedChannels(m.in, m.o.g.c, flags[0]), MaskedChannels(m.out, m.o.g.k, flags[1]), tiles);
}

KERNEL(gemm_threads, masked_conv_backward_filter_tf32, MaskedConvBackwardFilter m) {
	__shared__ GemmTiles tiles;
	__shared__ bool flags[2][max_chunks];
	conv_backward_filter_by<Tf32>(m.o, MaskedChannels(m.in, m.o.g.c, flags[0]), MaskedChannels(m.out, m.o.g.k, flags[1]), tiles);
}

KERNEL(gemm_threads, masked_conv_backward_filter_bf16, MaskedConvBackwardFilter m) {
	__shared__ GemmTiles tiles;
	__shared__ bool flags[2][max_chunks];
	conv_backward_filter_by<Bf16>(m.o, MaskedChannels(m.in, m.o.g.c, flags[0]), MaskedChannels(m.out, m.o.g.k, flags[1]), tiles);
}
