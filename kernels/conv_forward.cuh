// The product that a convolution's forward pass is: for each group A[npq, rsc] = x
// and B[rsc, k] = w. The grid's z is the groups.
#pragma once

#include "conv.cuh"
#include "wgmma.cuh"

template <class T, class W> struct ConvForward {
	T *y;
	const T *x;
	const W *w;
	const float *b;
	const T *z;
	Conv g;
	int act;
};

// With plain there is one tap, which reads each pixel once: A is x as it lies.
template <class T, class W, class Channels, bool plain = false> struct ForwardProblem {
	typedef T A;
	typedef W B;
	const ConvForward<T, W> &o;
	int group, m_last, k_first, k_last;
	Channels in, out;
	bool leave;

	struct Row { const T *at; int h, w; }; // of the first tap
	struct Column { const W *at; bool valid; };
	struct Common { int h, w, c, k; bool on; }; // so far from the first tap
	struct Jump { int h, w, c, k; };
	static constexpr bool a_along_k = true, b_along_k = true;

	__device__ Row row(int m) const {
		const Conv &g = o.g;
		if (m >= m_last) return {o.x, nowhere, nowhere};
		if (plain) return {&o.x[index_t(m) * g.c + group * in.n], 0, 0};
		int q = m % g.q, p = m / g.q % g.p, n = m / g.q / g.p, h = p * g.stride[0] - g.pad[0], w = q * g.stride[1] - g.pad[1];
		return {beyond(o.x, g.x(n, 0, 0) + (index_t(h) * g.w + w) * g.c + group * in.n), h, w};
	}
	__device__ Column column(int n) const {
		return {beyond(o.w, (index_t(group) * o.g.kg() + out.at(n)) * k_last), n < out.kept()};
	}
	__device__ Common common(int k) const {
		if (plain) return {0, 0, k, k, k < k_last};
		Jump from = jump(k);
		return {from.h, from.w, from.c, k, takes(k, from.c)};
	}
	__device__ bool takes(int k, int c) const { return k < k_last && in.on(c); }
	__device__ Jump jump(int by) const {
		if (plain) return {0, 0, by, by};
		int rs = by / in.n;
		return {rs / o.g.s * o.g.dilation[0], rs % o.g.s * o.g.dilation[1], by % in.n, by};
	}
	__device__ void advance(Common &k, int by) const {
		k.k += by;
		k.c += by;
#pragma unroll 1
		while (!plain && k.c >= in.n) carry(k);
		k.on = takes(k.k, k.c);
	}
	__device__ void advance(Common &k, const Jump &by) const {
		k = {k.h + by.h, k.w + by.w, k.c + by.c, k.k + by.k};
		if (!plain) carry(k);
		k.on = takes(k.k, k.c);
	}
	__device__ void carry(Common &k) const {
		if (k.c >= in.n) k.c -= in.n, k.w += o.g.dilation[1];
		if (k.w >= o.g.s * o.g.dilation[1]) k.w -= o.g.s * o.g.dilation[1], k.h += o.g.dilation[0];
	}
	__device__ Source<T> a(const Row &m, const Common &k) const {
		if (plain) return {beyond(m.at, k.k), m.h == 0 && k.on};
		const T *at = beyond(m.at, (index_t(k.h) * o.g.w + k.w) * o.g.c + k.c);
		return {at, k.on && within(m.h + k.h, o.g.h) && within(m.w + k.w, o.g.w)};
	}
	__device__ Source<W> b(const Common &k, const Column &n) const { return {beyond(n.at, k.k), n.valid && k.on}; }
	__device__ bool any(int k, int last) const { return in.any(k, last); }
	static constexpr bool masked = Channels::masked;
	__device__ bool any(const Common &k) const { return in.any_of_sixteen(k.c); }
	__device__ bool quads() const { return out.n % 4 == 0; }
	template <int each> __device__ void store(int m, int n, Pack<float, each> v) const {
		if (m >= m_last || n >= out.n) return;
		int k = group * out.n + out.at(n);
		index_t at = index_t(m) * o.g.k + k;
		if (n >= out.kept()) {
			if (!leave) put_pack(&o.y[at], Pack<float, each>{});
			return;
		}
		if (o.b) v += pack_at<each>(&o.b[k]);
		if (o.z) v += widened(pack_at<each>(&o.z[at]));
		put_pack(&o.y[at], activated(o.act, v));
	}
};

template <bool plain = false, class T, class W> __device__ __forceinline__ ForwardProblem<T, W, AllChannels, plain> dense(const ConvForward<T, W> &o) {
	const Conv &g = o.g;
	return {o, int(blockIdx.z), g.n * g.p * g.q, 0, g.r * g.s * g.cg(), {g.cg()}, {g.kg()}, false};
}
