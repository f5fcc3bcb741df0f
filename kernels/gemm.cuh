// The tiled product that every convolution is: a block makes tile_m × tile_n of
// C = A·B, taking tile_k of the common index at a time through shared memory.
//
// This is the first rung, element by element with nothing ahead; pipeline.cuh has the
// ones that are chosen.
//
// How it multiplies, a Math says: Float32 exactly, each thread 4 × 4 of the tile;
// Tf32 and Halves on tensor cores with float32 sums, each warp 16 × 32 of it.
// What A, B and C are, a Problem says. It never builds a matrix: it finds where an
// element lies from what it knows of its row, its column and its common index.
//
//   int k_first, k_last                        the common indices to sum over
//   bool any(int k, int last)                  whether any of them has anything but zeros, for all threads alike
//   bool masked                                whether there may be such that have not
//   Row row(int m)        Column column(int n) what is known of a row, a column; also beyond the last
//   Common common(int k)                       of a common index, its k; also beyond the last
//   void advance(Common &, int by)             to the common index so many further on, without a division
//   Jump jump(int by)                          what advances by so many each time, without a loop
//   void advance(Common &, Jump)
//   A, B                                       what elements are in memory
//   Source<A> a(Row, Common)  Source<B> b(Common, Column)  where an element lies, and whether there is one: else 0
//   a_along_k, b_along_k                       the direction in which memory runs
//   bool quads()                               whether columns come in fours that lie side by side
//   void store(int m, int n, Pack<float, 1> v)  called also beyond the last
//   void store(int m, int n, Pack<float, 4> v)  of n to n+3, where columns come in fours
//
// Sums go to memory by way of shared memory, so that a warp stores whole lines, in a loop: the
// epilogue of every sum a thread has, one after the other, would be four fifths of a kernel's code.
//
// The order of summation is the order of k: results repeat bit for bit, and a tile
// of zeros that is left out changes no bit of them.
#pragma once

#include "storage.cuh"

constexpr int tile_m = 64, tile_n = 64, tile_k = 16, gemm_threads = 256;
constexpr int gemm_loads = 4; // of A and of B by each thread, for each tile_k

template <class T> struct Source {
	const T *at; // anywhere where it is not there
	bool there;
};
template <class T> __device__ __forceinline__ float value(const Source<T> &from) { return from.there ? float(*from.at) : 0; }

// An address that may lie outside of what p is of.
template <class T> __device__ __forceinline__ const T *beyond(const T *p, index_t by) {
	return reinterpret_cast<const T *>(reinterpret_cast<const char *>(p) + by * index_t(sizeof(T)));
}
// The same of so many rows of an array: one instruction.
template <class T> __device__ __forceinline__ const T *beyond(const T *p, uint32_t rows, int row) {
	return reinterpret_cast<const T *>(reinterpret_cast<const char *>(p) + uint64_t(rows) * uint32_t(row * sizeof(T)));
}

// The tiles of A and B, rows of k. The last 4 keep loads along k from meeting in one bank.
struct GemmTiles {
	alignas(16) float a[tile_k][tile_m + 4], b[tile_k][tile_n + 4];
};

// The block's tile of a grid of row tiles × column tiles. Neighbours in time have the same
// rows of A, which is long: it is read once, and the whole of B, which is short, stays in L2.
struct Tile { int row, column; };
static __device__ __forceinline__ Tile tile_of_block() {
	index_t number = blockIdx.x + index_t(blockIdx.y) * gridDim.x;
	return {int(number / gridDim.y), int(number % gridDim.y)};
}

// A tile of sums in shared memory, whose lines' starts lie in different banks.
template <int n> struct Staged {
	static constexpr int line = n + 8;
	float *at;
	__device__ float &in(int m, int column) const { return at[m * line + column]; }
	template <int each> __device__ Pack<float, each> &pack(int m, int column) const { return *reinterpret_cast<Pack<float, each> *>(&in(m, column)); }
	__device__ void store(int m, int column, float v) const { in(m, column) = v; }
	__device__ void store(int m, int column, float v, float next) const { *reinterpret_cast<float2 *>(&in(m, column)) = {v, next}; }
};

template <class Gemm, int each, class Problem> __device__ __forceinline__ void store_rows(const Staged<Gemm::n> &tile, const Problem &problem, int m0, int n0) {
	constexpr int across = Gemm::n / each; // threads of a row
	int column = threadIdx.x % across * each;
#pragma unroll 2
	for (int row = threadIdx.x / across; row < Gemm::m; row += Gemm::threads / across) problem.store(m0 + row, n0 + column, tile.template pack<each>(row, column));
}

// What a block has summed, of which its threads have parts, to memory.
template <class Gemm, class Sums, class Problem> __device__ __forceinline__ void store_tile(const Sums &sums, const Problem &problem, int m0, int n0) {
	DYNAMIC_SHARED(float4, shared);
	Staged<Gemm::n> tile = {reinterpret_cast<float *>(shared)};
	__syncthreads(); // the last operands have been multiplied
	sums.store(tile, 0, 0);
	__syncthreads();
	if (Gemm::octets || problem.quads()) store_rows<Gemm, 4>(tile, problem, m0, n0);
	else store_rows<Gemm, 1>(tile, problem, m0, n0);
}

// Which element thread t loads as its i-th, in a tile of 64.
template <bool along_k> struct GemmLoad {
	static __device__ int k(int t, int i) { return along_k ? t % tile_k : t / 64 + i * (gemm_threads / 64); }
	static __device__ int m(int t, int i) { return along_k ? t / tile_k + i * (gemm_threads / tile_k) : t % 64; }
};

struct Float32 {
	float sum[4][4] = {};
	int m = threadIdx.x / 16 * 4, n = threadIdx.x % 16 * 4; // of the first sum

	__device__ void add(const GemmTiles &tile) {
#pragma unroll
		for (int k = 0; k < tile_k; k++) {
			float4 a4 = *reinterpret_cast<const float4 *>(&tile.a[k][m]);
			float4 b4 = *reinterpret_cast<const float4 *>(&tile.b[k][n]);
			const float a[4] = {a4.x, a4.y, a4.z, a4.w}, b[4] = {b4.x, b4.y, b4.z, b4.w};
#pragma unroll
			for (int i = 0; i < 4; i++)
#pragma unroll
				for (int j = 0; j < 4; j++) sum[i][j] += a[i] * b[j];
		}
	}
	template <class Tile> __device__ void store(const Tile &tile, int m0, int n0) const {
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int j = 0; j < 4; j++) tile.store(m0 + m + i, n0 + n + j, sum[i][j]);
	}
};

// What the tensor cores' precisions share: where a warp's sums and a lane's
// part of them lie; see ptx.cuh.
struct WarpSums {
	float sum[4][4] = {}; // of four products side by side
	int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
	int m = threadIdx.x / 64 * 16, n = threadIdx.x / 32 % 2 * 32;

	template <class Tile> __device__ void store(const Tile &tile, int m0, int n0) const {
#pragma unroll
		for (int j = 0; j < 4; j++)
#pragma unroll
			for (int i = 0; i < 4; i++) tile.store(m0 + m + g + i / 2 * 8, n0 + n + j * 8 + 2 * t + i % 2, sum[j][i]);
	}
};

struct Tf32 : WarpSums {
	__device__ void add(const GemmTiles &tile) {
#pragma unroll
		for (int k = 0; k < tile_k; k += 8) {
			uint32_t a[4], b[2];
#pragma unroll
			for (int i = 0; i < 4; i++) a[i] = to_tf32(tile.a[k + t + i / 2 * 4][m + g + i % 2 * 8]);
#pragma unroll
			for (int j = 0; j < 4; j++) {
#pragma unroll
				for (int i = 0; i < 2; i++) b[i] = to_tf32(tile.b[k + t + i * 4][n + j * 8 + g]);
				mma_tf32(sum[j], a, b);
			}
		}
	}
};

// Half is bf16 or fp16, which factors are rounded to.
template <class Half> struct Halves : WarpSums {
	__device__ void add(const GemmTiles &tile) {
		static_assert(tile_k == 16, "one product takes the tile's depth");
		uint32_t a[4], b[2];
#pragma unroll
		for (int i = 0; i < 4; i++) {
			int k = 2 * t + i / 2 * 8, row = m + g + i % 2 * 8;
			a[i] = Half::pair(tile.a[k][row], tile.a[k + 1][row]);
		}
#pragma unroll
		for (int j = 0; j < 4; j++) {
#pragma unroll
			for (int i = 0; i < 2; i++) {
				int k = 2 * t + i * 8, column = n + j * 8 + g;
				b[i] = Half::pair(tile.b[k][column], tile.b[k + 1][column]);
			}
			Half::mma(sum[j], a, b);
		}
	}
};

template <class Math> struct TiledGemm {
	typedef float Weight; // what a filter lies in memory as
	static constexpr int m = tile_m, n = tile_n, threads = gemm_threads;
	static constexpr bool octets = false; // columns may come in any number
	template <class T> static constexpr int blocks = 0; // on a multiprocessor; 0 leaves it to the compiler
	template <class T> static constexpr int forward_blocks = 0;

	template <class Problem> static __device__ void run(const Problem &problem, int m0, int n0) { store_tile<TiledGemm>(sums(problem, m0, n0), problem, m0, n0); }

	template <class Problem> static __device__ Math sums(const Problem &problem, int m0, int n0) {
		typedef GemmLoad<Problem::a_along_k> LoadA;
		typedef GemmLoad<Problem::b_along_k> LoadB;
		DYNAMIC_SHARED(float4, shared);
		GemmTiles &tile = *reinterpret_cast<GemmTiles *>(shared);
		const int t = threadIdx.x;

		typename Problem::Row rows[gemm_loads];
		typename Problem::Column columns[gemm_loads];
#pragma unroll
		for (int i = 0; i < gemm_loads; i++) {
			rows[i] = problem.row(m0 + LoadA::m(t, i));
			columns[i] = problem.column(n0 + LoadB::m(t, i));
		}

		Math math;
		for (int k0 = problem.k_first; k0 < problem.k_last; k0 += tile_k) {
			if (!problem.any(k0, min(k0 + tile_k, problem.k_last))) continue;
#pragma unroll
			for (int i = 0; i < gemm_loads; i++) {
				tile.a[LoadA::k(t, i)][LoadA::m(t, i)] = value(problem.a(rows[i], problem.common(k0 + LoadA::k(t, i))));
				tile.b[LoadB::k(t, i)][LoadB::m(t, i)] = value(problem.b(problem.common(k0 + LoadB::k(t, i)), columns[i]));
			}
			__syncthreads();
			math.add(tile);
			__syncthreads();
		}
		return math;
	}
};
