// The tiled product by warpgroups (wgmma, sm_90a), for 16-bit elements whose memory comes
// in eights: the tensor cores read a tile from shared memory while its threads copy the
// next ones to it, and nothing but sums goes through registers. Two warpgroups make 128 ×
// 128 of a tile of 256 × 128 each. For a Problem as pipeline.cuh knows it, with a Loader's
// copies: addresses are gathered, which a tensor map could not, and no other call of the
// driver is needed.
//
// A tile of an operand is rows × 64 common indices, where ptx.cuh says that the tensor
// cores look for it.
//
// A stage is filled again once both warpgroups are done with it, which they are at the
// barrier after the next one: of four stages one is multiplied, one may still be, and two
// are on their way. So products follow one another without a gap.
//
// Bound: a block reads (m + n)·2 bytes and makes 2·m·n FLOP for each k: 85 FLOP a byte.
// Its shared memory is 4 · (256 + 128) · 64 · 2 bytes, 192 KiB: one block on a multiprocessor.
#pragma once

#include "pipeline.cuh"

template <class T, bool along_k_, int rows_> struct SwizzledTile {
	typedef T Element;
	static constexpr bool along_k = along_k_;
	static constexpr int rows = rows_, depth = 64, line = 64; // elements of 128 bytes
	T at[rows * depth];

	static __device__ int place(int row, int k) {
		if (along_k) return row * line + (k / 8 ^ row % 8) * 8 + k % 8;
		return (row / line * depth + k) * line + (row % line / 8 ^ k % 8) * 8 + row % 8;
	}
	// What is multiplied from a row and a k on, multiples of 64 and of 16.
	__device__ uint64_t operand(int row, int k) const {
		return wgmma_operand(at + (along_k ? row * line + k : row * depth + k * line), depth * line * sizeof(T), 8 * line * sizeof(T));
	}
};

template <class Half> struct WarpgroupGemm {
	typedef Half Weight; // cast before the product
	static constexpr int m = 256, n = 128, threads = 256, stages = 4, blocks_m = m / 64 / (threads / 128);
	template <class T> static constexpr int blocks = 0;

	// A warpgroup's sums; see ptx.cuh.
	struct Sums {
		float sum[blocks_m][64] = {};
		int m = threadIdx.x / 128 * blocks_m * 64;

		template <class A, class B> __device__ void add(const A &a, const B &b) {
			wgmma_fence();
#pragma unroll
			for (int k = 0; k < A::depth; k += 16)
#pragma unroll
				for (int i = 0; i < blocks_m; i++) Half::template wgmma<!A::along_k, !B::along_k>(sum[i], a.operand(m + i * 64, k), b.operand(0, k));
			wgmma_commit();
		}
		template <class Tile> __device__ void store(const Tile &tile, int, int) const {
			int row = m + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
			for (int i = 0; i < blocks_m; i++)
#pragma unroll
				for (int j = 0; j < 64; j += 2) tile.store(row + i * 64 + j / 2 % 2 * 8, column + j / 4 * 8, sum[i][j], sum[i][j + 1]);
		}
	};

	// By way of shared memory, so that a thread has eight of a row side by side.
	template <class Problem> static __device__ void run(const Problem &problem, int m0, int n0) {
		auto all = sums(problem, m0, n0);
		DYNAMIC_SHARED(float4, shared);
		Staged<n> tile = {reinterpret_cast<float *>(shared)};
		__syncthreads(); // the last operands have been multiplied
		all.store(tile, 0, 0);
		__syncthreads();
		int column = threadIdx.x % (n / 8) * 8;
#pragma unroll 1
		for (int row = threadIdx.x / (n / 8); row < m; row += threads / (n / 8)) {
			Eight<float> v = *reinterpret_cast<const Eight<float> *>(&tile.in(row, column));
			problem.store(m0 + row, n0 + column, v);
		}
	}

	template <class Problem> static __device__ Sums sums(const Problem &problem, int m0, int n0) {
		typedef typename Problem::Common Common;
		typedef SwizzledTile<typename Problem::A, Problem::a_along_k, m> TileA;
		typedef SwizzledTile<typename Problem::B, Problem::b_along_k, n> TileB;
		constexpr int depth = TileA::depth;
		struct Stage {
			TileA a;
			TileB b;
		};
		DYNAMIC_SHARED(float4, shared);
		Stage *stage = reinterpret_cast<Stage *>(reinterpret_cast<char *>(shared) + (-shared_address(shared) & 1023));
		Loader<TileA, threads, 8, typename Problem::Row, Common> a(problem, [&](int m) { return problem.row(m0 + m); });
		Loader<TileB, threads, 8, typename Problem::Column, Common> b(problem, [&](int n) { return problem.column(n0 + n); });

		// The first tile from k on that has anything but zeros.
		auto seek = [&](int k) {
			while (k < problem.k_last && !problem.any(k, min(k + depth, problem.k_last))) k += depth;
			return k;
		};
		int ahead = seek(problem.k_first), first = ahead; // the next tile to load
		auto load = [&](Stage &to) {
			if (ahead < problem.k_last) {
				a.load(problem, to.a, ahead, [&](const typename Problem::Row &m, const Common &k) { return problem.a(m, k); });
				b.load(problem, to.b, ahead, [&](const typename Problem::Column &n, const Common &k) { return problem.b(k, n); });
				ahead = seek(ahead + depth);
			}
			cp_async_commit(); // of nothing, at the end: the count of groups stays that of tiles
		};

#pragma unroll 1
		for (int i = 0; i < stages - 2; i++) load(stage[i]);
		Sums all;
		int now = 0;
		for (int k = first; k < problem.k_last; k = seek(k + depth)) {
			cp_async_wait<stages - 3>();
			fence_async();
			__syncthreads(); // the tile is there for all, and all are done with the one before the last
			all.add(stage[now].a, stage[now].b);
			load(stage[(now + stages - 2) % stages]);
			wgmma_wait<1>();
			now = (now + 1) % stages;
		}
		wgmma_wait<0>();
#pragma unroll
		for (int i = 0; i < blocks_m; i++) wgmma_own(all.sum[i]);
		return all;
	}
};

// KERNELS(T, suffix, Gemm) makes a convolution's kernels of one variant, whose images
// lie in memory as T: masked, dense, and dense of one tap, which needs no geometry.
// Half precisions round what they multiply, or have it in memory so. The kernels of
// warpgroups are compiled for sm_90a, by themselves; the emulation has all. What the
// sanitizers leave out (Makefile) is not compiled for them, which would take most of their time.
#ifdef NO_TF32_FP16
#define UNLIKE_OTHERS(...)
#else
#define UNLIKE_OTHERS(...) __VA_ARGS__
#endif
#ifdef NO_FLOAT
#define IN_FLOAT(...)
#else
#define IN_FLOAT(...) __VA_ARGS__
#endif
#ifndef SM_90A
#define EACH_GEMM(KERNELS) \
	IN_FLOAT(KERNELS(float, , TiledExact) KERNELS(float, _small, SmallExact) KERNELS(float, _large, LargeExact)) \
	UNLIKE_OTHERS(KERNELS(float, _tf32, TiledTf32) KERNELS(float, _tf32_small, SmallTf32) KERNELS(float, _tf32_large, LargeTf32)) \
	HALF_GEMM(KERNELS, bf16) UNLIKE_OTHERS(HALF_GEMM(KERNELS, fp16))
#define HALF_GEMM(KERNELS, half) \
	IN_FLOAT(KERNELS(float, _##half, TiledHalf<half>) KERNELS(float, _##half##_small, SmallHalf<half>) KERNELS(float, _##half##_large, LargeHalf<half>)) \
	KERNELS(half, _in_##half, TiledHalf<half>) KERNELS(half, _in_##half##_small_short, ShortHalf<half>) \
	KERNELS(half, _in_##half##_small, SmallHalf<half>) KERNELS(half, _in_##half##_large, LargeHalf<half>)
#define EACH_ONES(KERNELS) \
	IN_FLOAT(KERNELS(float, _ones, OnesExact)) UNLIKE_OTHERS(KERNELS(float, _tf32_ones, OnesTf32)) \
	IN_FLOAT(KERNELS(float, _bf16_ones, OnesHalf<bf16>)) UNLIKE_OTHERS(KERNELS(float, _fp16_ones, OnesHalf<fp16>))
#define EACH_1X1(KERNELS) \
	IN_FLOAT(KERNELS(float, _small_1x1, SmallExact) KERNELS(float, _large_1x1, LargeExact)) \
	UNLIKE_OTHERS(KERNELS(float, _tf32_small_1x1, SmallTf32) KERNELS(float, _tf32_large_1x1, LargeTf32)) \
	HALF_1X1(KERNELS, bf16) UNLIKE_OTHERS(HALF_1X1(KERNELS, fp16))
#define HALF_1X1(KERNELS, half) \
	IN_FLOAT(KERNELS(float, _##half##_small_1x1, SmallHalf<half>) KERNELS(float, _##half##_large_1x1, LargeHalf<half>)) \
	KERNELS(half, _in_##half##_small_1x1, SmallHalf<half>) KERNELS(half, _in_##half##_large_1x1, LargeHalf<half>)
#else
#define EACH_GEMM(KERNELS)
#define EACH_ONES(KERNELS)
#define EACH_1X1(KERNELS)
#endif
#if defined(SM_90A) || !defined(__CUDACC__)
#define EACH_WARPGROUP(KERNELS) KERNELS(bf16, _in_bf16_warpgroup, WarpgroupGemm<bf16>) UNLIKE_OTHERS(KERNELS(fp16, _in_fp16_warpgroup, WarpgroupGemm<fp16>))
#define WARPGROUP_1X1(KERNELS) KERNELS(bf16, _in_bf16_warpgroup_1x1, WarpgroupGemm<bf16>) UNLIKE_OTHERS(KERNELS(fp16, _in_fp16_warpgroup_1x1, WarpgroupGemm<fp16>))
#else
#define EACH_WARPGROUP(KERNELS)
#define WARPGROUP_1X1(KERNELS)
#endif
