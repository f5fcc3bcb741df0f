// for n, p, q, k:
//   y[n,p,q,k] = act(b[k] + z[n,p,q,k] +
//     Σ over r, s, c < Cg of x[n, p·stride₀+r·dil₀−pad₀, q·stride₁+s·dil₁−pad₁, g·Cg+c] · w[k,r,s,c])
//
// with x zero outside the image. For each group the product of A[npq, rsc] = x and
// B[rsc, k] = w. Grid: tiles of npq × tiles of Kg × groups.
// Bound: 2·N·P·Q·K·R·S·Cg FLOP, and once over x, w and y.
//
// Masked, one group: c runs over the channels that are on alone, and y is 0 where k
// is off, or what it was with leave. Bit for bit the dense kernel on zeroed data.
#include "conv_forward.cuh"

template <class T, class W> struct MaskedConvForward {
	ConvForward<T, W> o;
	Mask in, out;
	int leave;
};

template <class Gemm, class Problem> __device__ void conv_forward_by(Problem problem) {
	Tile tile = tile_of_block();
	int n0 = tile.column * Gemm::n;
	if (n0 >= problem.out.kept()) problem.k_first = problem.k_last; // nothing but zeros to write
	Gemm::run(problem, tile.row * Gemm::m, n0);
}

#define DENSE_FORWARD(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::forward_blocks<T>), conv_forward##suffix, ConvForward<T, Gemm::Weight> o) { conv_forward_by<Gemm>(dense(o)); }
#define PLAIN_FORWARD(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::forward_blocks<T>), conv_forward##suffix, ConvForward<T, Gemm::Weight> o) { conv_forward_by<Gemm>(dense<true>(o)); }
#define MASKED_FORWARD(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::forward_blocks<T>), masked_conv_forward##suffix, MaskedConvForward<T, Gemm::Weight> m) { \
		const Conv &g = m.o.g; \
		ForwardProblem<T, Gemm::Weight, MaskedChannels> problem = { \
			m.o, 0, g.n * g.p * g.q, 0, g.r * g.s * g.c, {m.in, g.c, INPUT}, {m.out, g.k, OUTPUT}, bool(m.leave)}; \
		conv_forward_by<Gemm>(problem); \
	}
EACH_GEMM(DENSE_FORWARD)
EACH_GEMM(MASKED_FORWARD)
EACH_ONES(DENSE_FORWARD)
EACH_ONES(MASKED_FORWARD)
EACH_1X1(PLAIN_FORWARD)
EACH_WARPGROUP(DENSE_FORWARD)
EACH_WARPGROUP(MASKED_FORWARD)
WARPGROUP_1X1(PLAIN_FORWARD)
