// The tiled product that every convolution is, in exact float32: a block makes
// tile_m × tile_n of C = A·B, taking tile_k of the common index at a time through
// shared memory, and every thread makes 4 × 4 of it in registers.
//
// What A, B and C are, a Problem says. It never builds a matrix: it finds where an
// element lies from what it knows of its row, its column and its common index.
//
//   int k_first, k_last                        the common indices to sum over
//   Row row(int m)        Column column(int n) what is known of a row, a column; also beyond the last
//   Common common(int k)                       of a common index; also beyond the last
//   float a(Row, Common)  float b(Common, Column)   an element, 0 where there is none
//   a_along_k, b_along_k                       the direction in which memory runs
//   void store(int m, int n, float v)          called also beyond the last
//
// The order of summation is the order of k: results repeat bit for bit.
#pragma once

#include "device.cuh"

constexpr int tile_m = 64, tile_n = 64, tile_k = 16, gemm_threads = 256;
constexpr int gemm_loads = 4; // of A and of B by each thread, for each tile_k

// The tiles of A and B, rows of k. The last 4 keep loads along k from meeting in one bank.
struct GemmTiles {
	alignas(16) float a[tile_k][tile_m + 4], b[tile_k][tile_n + 4];
};

// Which element thread t loads as its i-th, in a tile of 64.
template <bool along_k> struct GemmLoad {
	static __device__ int k(int t, int i) { return along_k ? t % tile_k : t / 64 + i * (gemm_threads / 64); }
	static __device__ int m(int t, int i) { return along_k ? t / tile_k + i * (gemm_threads / tile_k) : t % 64; }
};

template <class Problem> __device__ void gemm(const Problem &problem, GemmTiles &tile, int m0, int n0) {
	typedef GemmLoad<Problem::a_along_k> LoadA;
	typedef GemmLoad<Problem::b_along_k> LoadB;
	const int t = threadIdx.x, my_m = t / 16 * 4, my_n = t % 16 * 4;

	typename Problem::Row rows[gemm_loads];
	typename Problem::Column columns[gemm_loads];
#pragma unroll
	for (int i = 0; i < gemm_loads; i++) {
		rows[i] = problem.row(m0 + LoadA::m(t, i));
		columns[i] = problem.column(n0 + LoadB::m(t, i));
	}

	float sum[4][4] = {};
	for (int k0 = problem.k_first; k0 < problem.k_last; k0 += tile_k) {
#pragma unroll
		for (int i = 0; i < gemm_loads; i++) {
			tile.a[LoadA::k(t, i)][LoadA::m(t, i)] = problem.a(rows[i], problem.common(k0 + LoadA::k(t, i)));
			tile.b[LoadB::k(t, i)][LoadB::m(t, i)] = problem.b(problem.common(k0 + LoadB::k(t, i)), columns[i]);
		}
		__syncthreads();
#pragma unroll
		for (int k = 0; k < tile_k; k++) {
			float4 a4 = *reinterpret_cast<const float4 *>(&tile.a[k][my_m]);
			float4 b4 = *reinterpret_cast<const float4 *>(&tile.b[k][my_n]);
			const float a[4] = {a4.x, a4.y, a4.z, a4.w}, b[4] = {b4.x, b4.y, b4.z, b4.w};
#pragma unroll
			for (int i = 0; i < 4; i++)
#pragma unroll
				for (int j = 0; j < 4; j++) sum[i][j] += a[i] * b[j];
		}
		__syncthreads();
	}

#pragma unroll
	for (int i = 0; i < 4; i++)
#pragma unroll
		for (int j = 0; j < 4; j++) problem.store(m0 + my_m + i, n0 + my_n + j, sum[i][j]);
}
