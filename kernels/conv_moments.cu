// for n, p, q, k: y[n,p,q,k] = b[k] + Σ over r, s, c < Cg of x[…] · w[k,r,s,c]
// for each tile of rows npq, in column k: partial[:, tile, k] = a, Σ (y−a), Σ (y−a)²
//
// with a the tile's first y: conv_forward before a batch norm, which need not read y
// for its statistics (moments.cuh). A tile goes through shared memory once it is
// summed, so that a thread has a part of four columns, and a warp stores whole lines.
// Grid: that of conv_forward.
// Bound: 2·N·P·Q·K·R·S·Cg FLOP, and once over x, w and y; 12/64, 12/128 or 12/256 bytes for each y more.
#include "conv_forward.cuh"
#include "moments.cuh"

template <class T, class W> struct ConvMoments {
	ConvForward<T, W> o; // that ends in nothing and adds its bias alone
	float *partial;
};

template <class Gemm, int each, class Sums, class T, class W> __device__ __forceinline__ void store_moments(const Sums &sums, const ConvMoments<T, W> &p, int group, Tile at, int m_last) {
	typedef Pack<float, each> Floats;
	constexpr int across = Gemm::n / each, shares = Gemm::threads / across; // threads of a row, of a column
	const Conv &g = p.o.g;
	DYNAMIC_SHARED(float4, shared);
	Staged<Gemm::n> tile = {reinterpret_cast<float *>(shared)};
	__syncthreads(); // the last operands have been multiplied
	sums.store(tile, 0, 0);
	__syncthreads();

	int m0 = at.row * Gemm::m, column = threadIdx.x % across * each, share = threadIdx.x / across;
	int n = at.column * Gemm::n + column, k = group * g.kg() + n, rows = min(Gemm::m, m_last - m0);
	bool valid = n < g.kg();
	Floats bias = {}, sum = {}, squares = {};
	if (valid && p.o.b) bias = pack_at<each>(&p.o.b[k]);
	Floats shift = tile.template pack<each>(0, column);
	shift += bias;
	if (valid)
#pragma unroll 2
		for (int m = share; m < rows; m += shares) {
			Floats y = tile.template pack<each>(m, column);
			y += bias;
			put_pack(&p.o.y[index_t(m0 + m) * g.k + k], y);
#pragma unroll
			for (int e = 0; e < each; e++) {
				T as_stored;
				as_stored = y.at[e];
				float v = as_stored - shift.at[e];
				sum.at[e] += v;
				squares.at[e] += v * v;
			}
		}
	__syncthreads();
	tile.template pack<each>(2 * share, column) = sum;
	tile.template pack<each>(2 * share + 1, column) = squares;
	__syncthreads();
	if (!valid || share > 0) return;
	for (int i = 1; i < shares; i++) {
		sum += tile.template pack<each>(2 * i, column);
		squares += tile.template pack<each>(2 * i + 1, column);
	}
	index_t run = index_t(at.row) * g.k + k, plane = index_t(gridDim.x) * g.k;
	put_pack(&p.partial[run], shift);
	put_pack(&p.partial[run + plane], sum);
	put_pack(&p.partial[run + 2 * plane], squares);
}

template <class Gemm, bool plain, class T, class W> __device__ void conv_moments_by(const ConvMoments<T, W> &p) {
	auto problem = dense<plain>(p.o);
	Tile at = tile_of_block();
	auto sums = Gemm::sums(problem, at.row * Gemm::m, at.column * Gemm::n);
	if (p.o.g.kg() % 4 == 0) store_moments<Gemm, 4>(sums, p, problem.group, at, problem.m_last);
	else store_moments<Gemm, 1>(sums, p, problem.group, at, problem.m_last);
}

#define CONV_MOMENTS(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::forward_blocks<T>), conv_moments##suffix, ConvMoments<T, Gemm::Weight> p) { conv_moments_by<Gemm, false>(p); }
#define PLAIN_MOMENTS(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::forward_blocks<T>), conv_moments##suffix, ConvMoments<T, Gemm::Weight> p) { conv_moments_by<Gemm, true>(p); }
EACH_GEMM(CONV_MOMENTS)
EACH_ONES(CONV_MOMENTS)
EACH_1X1(PLAIN_MOMENTS)
EACH_WARPGROUP(CONV_MOMENTS)
WARPGROUP_1X1(PLAIN_MOMENTS)
