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

	struct Row { index_t image; int h, w; };
	struct Column { index_t filter; bool valid; };
	struct Common { int r, s, c, k; bool on; };
	static constexpr bool a_along_k = true, b_along_k = true;

	__device__ Row row(int m) const {
		if (m >= m_last) return {0, nowhere, nowhere};
		const Conv &g = o.g;
		if (plain) return {index_t(m) * g.c + group * g.cg(), 0, 0};
		int q = m % g.q, p = m / g.q % g.p, n = m / g.q / g.p;
		return {g.x(n, 0, 0) + group * g.cg(), p * g.stride[0] - g.pad[0], q * g.stride[1] - g.pad[1]};
	}
	__device__ Column column(int n) const {
		return {(index_t(group) * o.g.kg() + out.at(n)) * k_last, n < out.kept()};
	}
	__device__ Common common(int k) const {
		if (plain) return {0, 0, k, k, k < k_last};
		int c = k % in.n, rs = k / in.n;
		return {rs / o.g.s, rs % o.g.s, c, k, takes(k, c)};
	}
	__device__ bool takes(int k, int c) const { return k < k_last && in.on(c); }
	__device__ void advance(Common &k, int by) const {
		k.k += by;
		k.c += by;
		if constexpr (!plain)
#pragma unroll 1
			for (; k.c >= in.n; k.c -= in.n)
				if (++k.s == o.g.s) k.s = 0, k.r++;
		k.on = takes(k.k, k.c);
	}
	__device__ const T *a(const Row &m, const Common &k) const {
		if (plain) return m.h == 0 && k.on ? &o.x[m.image + k.k] : nullptr;
		int h = m.h + k.r * o.g.dilation[0], w = m.w + k.s * o.g.dilation[1];
		if (!k.on || !within(h, o.g.h) || !within(w, o.g.w)) return nullptr;
		return &o.x[m.image + (index_t(h) * o.g.w + w) * o.g.c + k.c];
	}
	__device__ const W *b(const Common &k, const Column &n) const {
		return n.valid && k.on ? &o.w[n.filter + k.k] : nullptr;
	}
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
