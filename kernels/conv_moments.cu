// for n, p, q, k: y[n,p,q,k] = b[k] + Σ over r, s, c < Cg of x[…] · w[k,r,s,c]
// for each tile of rows npq, in column k: partial[:, tile, k] = a, Σ (y−a), Σ (y−a)²
//
// with a the tile's first y: conv_forward before a batch norm, which need not read y
// for its statistics (moments.cuh). A tile goes through shared memory once it is
// summed, so that a thread has a part of a column, and a warp stores 32 neighbours.
// Grid: that of conv_forward.
// Bound: 2·N·P·Q·K·R·S·Cg FLOP, and once over x, w and y; 12/64, 12/128 or 12/256 bytes for each y more.
#include "conv_forward.cuh"
#include "moments.cuh"

template <class T, class W> struct ConvMoments {
	ConvForward<T, W> o; // that ends in nothing and adds its bias alone
	float *partial;
};

template <class Gemm, bool plain, class T, class W> __device__ void conv_moments_by(const ConvMoments<T, W> &p) {
	constexpr int shares = Gemm::threads / Gemm::n; // of a column
	const Conv &g = p.o.g;
	auto problem = dense<plain>(p.o);
	int m0 = blockIdx.x * Gemm::m, n0 = blockIdx.y * Gemm::n;
	auto sums = Gemm::sums(problem, m0, n0);
	DYNAMIC_SHARED(float4, shared);
	Staged<Gemm::n> tile = {reinterpret_cast<float *>(shared)};
	__syncthreads(); // the last operands have been multiplied
	sums.store(tile, 0, 0);
	__syncthreads();

	int column = threadIdx.x % Gemm::n, share = threadIdx.x / Gemm::n;
	int k = problem.group * g.kg() + n0 + column, rows = min(Gemm::m, problem.m_last - m0);
	bool valid = n0 + column < g.kg();
	float bias = valid && p.o.b ? p.o.b[k] : 0;
	float shift = tile.in(0, column) + bias, sum = 0, squares = 0;
	if (valid)
		for (int m = share; m < rows; m += shares) {
			T &y = p.o.y[index_t(m0 + m) * g.k + k];
			y = tile.in(m, column) + bias;
			float v = y - shift;
			sum += v;
			squares += v * v;
		}
	__syncthreads();
	tile.store(2 * share, column, sum);
	tile.store(2 * share + 1, column, squares);
	__syncthreads();
	if (!valid || share > 0) return;
	for (int i = 1; i < shares; i++) {
		sum += tile.in(2 * i, column);
		squares += tile.in(2 * i + 1, column);
	}
	p.partial[index_t(blockIdx.x) * g.k + k] = shift;
	p.partial[index_t(gridDim.x + blockIdx.x) * g.k + k] = sum;
	p.partial[index_t(2 * gridDim.x + blockIdx.x) * g.k + k] = squares;
}

// A block less than its like, for the registers of the statistics.
#define CONV_MOMENTS(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T> ? 3 : 0), conv_moments##suffix, ConvMoments<T, Gemm::Weight> p) { conv_moments_by<Gemm, false>(p); }
#define PLAIN_MOMENTS(T, suffix, Gemm) \
	KERNEL(THREADS(Gemm::threads, Gemm::blocks<T> ? 3 : 0), conv_moments##suffix, ConvMoments<T, Gemm::Weight> p) { conv_moments_by<Gemm, true>(p); }
EACH_GEMM(CONV_MOMENTS)
EACH_ONES(CONV_MOMENTS)
EACH_1X1(PLAIN_MOMENTS)
EACH_WARPGROUP(CONV_MOMENTS)
WARPGROUP_1X1(PLAIN_MOMENTS)
