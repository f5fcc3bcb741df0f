// for n, h, w, c:
//   dx[n,h,w,c] (+)= Σ over (r, s, p, q, k) that read x[n,h,w,c] of dy[n,p,q,k] · w[k,r,s,c−g·Cg]
//
// Pixels whose h and w leave the same remainders by the stride are read by the
// same taps of the filter: for each such phase and each group, the product of
// A[nhw, rsk] = dy and B[rsk, c] = w over those taps alone.
// Grid: tiles of the phase's pixels × tiles of Cg × groups·phases.
// Bound: 2·N·P·Q·K·R·S·Cg FLOP, and once over dy, w and dx.
//
// Masked, one group: k runs over the channels that are on alone, and dx is 0 where c
// is off, or what it was with accumulate. Bit for bit the dense kernel on zeroed data.
#include "conv.cuh"
#include "wgmma.cuh"

template <class T, class W> struct ConvBackwardData {
	T *dx;
	const T *dy;
	const W *w;
	Conv g;
	int accumulate;
};

template <class T, class W> struct MaskedConvBackwardData {
	ConvBackwardData<T, W> o;
	Mask in, out;
};

// Taps is what one direction's filter rows read a phase's pixels: rows first,
// first+step, …, count of them. The j-th reads pixel i for output (i+pad−first·dilation)/stride − j·back.
struct Taps {
	int first, step, count, back;

	__device__ Taps(int phase, int size, int stride, int pad, int dilation) {
		first = 0;
		while (first < size && (phase + pad - first * dilation) % stride != 0) first++;
		int a = stride, b = dilation;
		while (b) {
			int rest = a % b;
			a = b;
			b = rest;
		}
		step = stride / a;
		count = first < size ? (size - 1 - first) / step + 1 : 0;
		back = step * dilation / stride;
	}
};

// With plain there is one tap, which reads each pixel once: A is dy as it lies.
template <class T, class W, class Channels, bool plain = false> struct DataProblem {
	typedef T A;
	typedef W B;
	const ConvBackwardData<T, W> &o;
	int group, phase_h, phase_w, rows_h, rows_w; // the phase's pixels in one image
	Taps r, s;
	int k_first, k_last;
	Channels in, out;

	struct Row { const T *at; int p, q; }; // of what the first tap reads
	struct Column { const W *at; bool valid; };
	struct Common { int j, i, channel, k; bool on; }; // the j-th of r and the i-th of s
	struct Jump { int j, i, channel, k; };
	static constexpr bool a_along_k = true, b_along_k = false;

	__device__ Row row(int m) const {
		const Conv &g = o.g;
		if (plain) return {beyond(o.dy, index_t(m) * g.k + group * out.n), m < g.n * g.h * g.w ? 0 : nowhere, 0};
		int j = m % rows_w, i = m / rows_w % rows_h, n = m / rows_w / rows_h;
		if (n >= g.n) return {o.dy, nowhere, nowhere};
		int h = phase_h + i * g.stride[0], w = phase_w + j * g.stride[1];
		int p = (h + g.pad[0] - r.first * g.dilation[0]) / g.stride[0], q = (w + g.pad[1] - s.first * g.dilation[1]) / g.stride[1];
		return {beyond(o.dy, g.y(n, 0, 0) + (index_t(p) * g.q + q) * g.k + group * out.n), p, q};
	}
	__device__ Column column(int n) const {
		index_t tap = plain ? 0 : r.first * o.g.s + s.first;
		return {beyond(o.w, (index_t(group) * out.n * o.g.r * o.g.s + tap) * in.n + in.at(n)), n < in.kept()};
	}
	__device__ Common common(int k) const {
		if (plain) return {0, 0, k, k, k < k_last};
		Jump from = jump(k);
		return {from.j, from.i, from.channel, k, takes(k, from.channel)};
	}
	__device__ bool takes(int k, int channel) const { return k < k_last && out.on(channel); }
	__device__ Jump jump(int by) const {
		if (plain) return {0, 0, by, by};
		int rs = by / out.n, count = max(s.count, 1);
		return {rs / count, rs % count, by % out.n, by};
	}
	__device__ void advance(Common &k, int by) const {
		k.k += by;
		k.channel += by;
#pragma unroll 1
		while (!plain && k.channel >= out.n) carry(k);
		k.on = takes(k.k, k.channel);
	}
	__device__ void advance(Common &k, const Jump &by) const {
		k = {k.j + by.j, k.i + by.i, k.channel + by.channel, k.k + by.k};
		if (!plain) carry(k);
		k.on = takes(k.k, k.channel);
	}
	__device__ void carry(Common &k) const {
		if (k.channel >= out.n) k.channel -= out.n, k.i++;
		if (k.i >= s.count) k.i -= s.count, k.j++;
	}
	__device__ Source<T> a(const Row &m, const Common &k) const {
		if (plain) return {beyond(m.at, k.k), m.p == 0 && k.on};
		int p = k.j * r.back, q = k.i * s.back; // as far back
		const T *at = beyond(m.at, k.channel - (index_t(p) * o.g.q + q) * o.g.k);
		return {at, k.on && within(m.p - p, o.g.p) && within(m.q - q, o.g.q)};
	}
	__device__ Source<W> b(const Common &k, const Column &n) const {
		int tap = plain ? k.k : (k.channel * o.g.r + k.j * r.step) * o.g.s + k.i * s.step;
		return {beyond(n.at, tap, in.n), k.on && n.valid};
	}
	__device__ bool any(int k, int last) const { return out.any(k, last); }
	static constexpr bool masked = Channels::masked;
	__device__ bool any(const Common &k) const { return out.any_of_sixteen(k.channel); }
	// Where dx of a row and a column lies, null where there is none.
	__device__ T *dx(int m, int c) const {
		const Conv &g = o.g;
		if (g.stride[0] == 1 && g.stride[1] == 1) // the pixels are all there are, in their order
			return m < g.n * g.h * g.w && c < in.n ? &o.dx[index_t(m) * g.c + group * in.n + in.at(c)] : nullptr;
		int j = m % rows_w, i = m / rows_w % rows_h, n = m / rows_w / rows_h;
		if (n >= g.n || c >= in.n) return nullptr;
		return &o.dx[g.x(n, phase_h + i * g.stride[0], phase_w + j * g.stride[1]) + group * in.n + in.at(c)];
	}
	__device__ bool quads() const { return in.n % 4 == 0; }
	template <int each> __device__ void store(int m, int c, Pack<float, each> v) const {
		T *at = dx(m, c);
		if (!at) return;
		if (c >= in.kept()) v = {};
		if (o.accumulate) v += widened(pack_at<each>(at));
		put_pack(at, v);
	}
};

template <class Gemm, bool plain, class T, class W, class Channels>
__device__ void conv_backward_data_by(const ConvBackwardData<T, W> &o, const Channels &in, const Channels &out) {
	const Conv &g = o.g;
	int phase_w = blockIdx.z % g.stride[1], phase_h = blockIdx.z / g.stride[1] % g.stride[0];
	if (phase_h >= g.h || phase_w >= g.w) return; // more stride than image
	Taps r(phase_h, g.r, g.stride[0], g.pad[0], g.dilation[0]), s(phase_w, g.s, g.stride[1], g.pad[1], g.dilation[1]);
	DataProblem<T, W, Channels, plain> problem = {
		o, int(blockIdx.z) / g.stride[1] / g.stride[0], phase_h, phase_w,
		ceil_div(g.h - phase_h, g.stride[0]), ceil_div(g.w - phase_w, g.stride[1]),
		r, s, 0, r.count * s.count * g.kg(), in, out};
	Tile tile = sizeof(T) == 2 ? tile_of_block() : Tile{int(blockIdx.x), int(blockIdx.y)}; // for float32, whose products take longer than its loads, there are no registers
	int n0 = tile.column * Gemm::n;
	if (n0 >= in.kept()) problem.k_last = 0; // nothing but zeros to write
	Gemm::run(problem, tile.row * Gemm::m, n0);
}

#define DENSE_BACKWARD_DATA(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T>), conv_backward_data##suffix, ConvBackwardData<T, Gemm::Weight> o) { \
		conv_backward_data_by<Gemm, false>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}); \
	}
#define PLAIN_BACKWARD_DATA(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T>), conv_backward_data##suffix, ConvBackwardData<T, Gemm::Weight> o) { \
		conv_backward_data_by<Gemm, true>(o, AllChannels{o.g.cg()}, AllChannels{o.g.kg()}); \
	}
#define MASKED_BACKWARD_DATA(T, suffix, Gemm) /* a block less, for the registers of the mask */ \
	KERNEL(THREADS(Gemm::threads, Gemm::forward_blocks<T>), masked_conv_backward_data##suffix, MaskedConvBackwardData<T, Gemm::Weight> m) { \
		conv_backward_data_by<Gemm, false>(m.o, MaskedChannels(m.in, m.o.g.c, INPUT), MaskedChannels(m.out, m.o.g.k, OUTPUT)); \
	}
EACH_GEMM(DENSE_BACKWARD_DATA)
EACH_GEMM(MASKED_BACKWARD_DATA)
EACH_ONES(DENSE_BACKWARD_DATA)
EACH_ONES(MASKED_BACKWARD_DATA)
EACH_1X1(PLAIN_BACKWARD_DATA)
EACH_WARPGROUP(DENSE_BACKWARD_DATA)
EACH_WARPGROUP(MASKED_BACKWARD_DATA)
WARPGROUP_1X1(PLAIN_BACKWARD_DATA)
