// The tiled product by warpgroups (wgmma, sm_90a), for 16-bit elements whose memory comes
// in eights: the tensor cores read a tile from shared memory while its threads copy the
// next ones to it, and nothing but sums goes through registers. Two warpgroups share the
// rows of a tile of 256 × 128, 128 × 128 or 128 × 64. For a Problem as pipeline.cuh knows it,
// with a Loader's copies: addresses are gathered, which a tensor map could not, and no other
// call of the driver is needed.
//
// A tile of an operand is rows × 64 common indices, where ptx.cuh says that the tensor
// cores look for it: four products of sixteen, each of which is left out where a mask makes
// zeros of it.
//
//   bool any(Common)      whether one of sixteen from it on is not
//
// A stage is filled again once both warpgroups are done with it, which they are at the next
// barrier or, where a product may be late, at the one after it.
//
// Bound: a block reads (m + n)·2 bytes and makes 2·m·n FLOP for each k: 85, 64 or 43 FLOP a
// byte. Its shared memory is stages·(m + n)·64·2 bytes, 192 KiB for one block on a
// multiprocessor, or 96 KiB for two.
#pragma once

#include "pipeline.cuh"

template <class T, bool along_k_, int rows_> struct SwizzledTile {
	typedef T Element;
	static constexpr bool along_k = along_k_;
	static constexpr int rows = rows_, depth = 64, line = 64, period = 8; // elements of 128 bytes
	T at[rows * depth];

	static __device__ int place(int row, int k) {
		if (along_k) return row * line + (k / 8 ^ row % 8) * 8 + k % 8;
		return (row / line * depth + k) * line + (row % line / 8 ^ k % 8) * 8 + row % 8;
	}
	// What is multiplied from a row on, a multiple of 64, and what to add to that for a row and a
	// k, a multiple of 16: a descriptor begins with the address in units of 16 bytes.
	__device__ uint64_t operand(int row) const { return wgmma_operand(at + row * 64, depth * line * sizeof(T), 8 * line * sizeof(T)); }
	static constexpr __device__ uint64_t further(int row, int k) { return (along_k ? row * line + k : row * depth + k * line) * sizeof(T) / 16; }
};

// m × n by two warpgroups, with so many blocks on a multiprocessor. Of the stages one is
// multiplied, before which `late` may still be, and the others are on their way.
template <class Half, int m_, int n_, int stages_, int late, int most> struct WarpgroupGemm {
	typedef Half Weight; // cast before the product
	static constexpr int m = m_, n = n_, threads = 256, stages = stages_, blocks_m = m / 64 / (threads / 128);
	static constexpr int ahead = stages - 1 - late;
	static constexpr bool octets = true;
	template <class T> static constexpr int blocks = most;
	template <class T> static constexpr int forward_blocks = most;

	// A warpgroup's sums; see ptx.cuh.
	struct Sums {
		float sum[blocks_m][n / 2] = {};
		int m = __shfl_sync(~0u, threadIdx.x / 128, 0) * blocks_m * 64; // the compiler sees that a warp agrees on it

		template <class A, class B> __device__ void add(const A &a, const B &b) {
			uint64_t of_a = a.operand(m), of_b = b.operand(0);
			wgmma_fence();
#pragma unroll
			for (int k = 0; k < A::depth; k += 16)
#pragma unroll
				for (int i = 0; i < blocks_m; i++) Half::template wgmma<!A::along_k, !B::along_k>(sum[i], of_a + A::further(i * 64, k), of_b + B::further(0, k));
			wgmma_commit();
		}
		template <class Tile> __device__ void store(const Tile &tile, int, int) const {
			int row = m + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
			for (int i = 0; i < blocks_m; i++)
#pragma unroll
				for (int j = 0; j < n / 2; j += 2) tile.store(row + i * 64 + j / 2 % 2 * 8, column + j / 4 * 8, sum[i][j], sum[i][j + 1]);
		}
	};

	template <class Problem> static __device__ void run(const Problem &problem, int m0, int n0) { store_tile<WarpgroupGemm>(sums(problem, m0, n0), problem, m0, n0); }

	// Which common indices a tile has, of four times sixteen, which are one product each.
	struct All {
		int first;
		__device__ int operator()(int i) const { return first + i; }
	};
	struct Some { // those of which not all are zeros
		int first, second, third, fourth;
		__device__ int operator()(int i) const {
			int low = i & 16 ? second : first, high = i & 16 ? fourth : third;
			return (i & 32 ? high : low) + i % 16;
		}
	};

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
		Loader<TileA, threads, 8, !Problem::masked, typename Problem::Row, Common, typename Problem::Jump> a(problem, [&](int m) { return problem.row(m0 + m); });
		Loader<TileB, threads, 8, !Problem::masked, typename Problem::Column, Common, typename Problem::Jump> b(problem, [&](int n) { return problem.column(n0 + n); });

		Common seen = problem.common(problem.k_first);
		auto sixteen = [&] { // the next that are not all zeros
			while (seen.k < problem.k_last && !problem.any(seen)) problem.advance(seen, 16);
			int k = seen.k;
			problem.advance(seen, 16);
			return k;
		};
		int next = problem.k_first, loaded = 0;
		auto tile = [&] {
			if constexpr (Problem::masked) return Some{sixteen(), sixteen(), sixteen(), sixteen()};
			else return All{(next += depth) - depth};
		};
		auto load = [&](Stage &to) {
			auto at = tile();
			if (at.first < problem.k_last) {
				a.load(problem, to.a, at, [&](const typename Problem::Row &m, const Common &k) { return problem.a(m, k); });
				b.load(problem, to.b, at, [&](const typename Problem::Column &n, const Common &k) { return problem.b(k, n); });
				loaded++;
			}
			cp_async_commit(); // of nothing, at the end: the count of groups stays that of tiles
		};

#pragma unroll 1
		for (int i = 0; i < ahead; i++) load(stage[i]);
		Sums all;
		int now = 0;
		for (int i = 0; i < loaded; i++) {
			cp_async_wait<ahead - 1>();
			fence_async();
			__syncthreads(); // the tile is there for all, and all are done with those before the late ones
			all.add(stage[now].a, stage[now].b);
			load(stage[(now + ahead) % stages]);
			wgmma_wait<late>();
			now = (now + 1) % stages;
		}
		wgmma_wait<0>();
#pragma unroll
		for (int i = 0; i < blocks_m; i++) wgmma_own(all.sum[i]);
		return all;
	}
};

// What multiplies most of what it loads; one block, whose loads and stores nothing hides.
template <class Half> using WholeWarpgroups = WarpgroupGemm<Half, 256, 128, 4, 1, 0>;
// Two blocks, of which one multiplies while the other begins or ends: for short sums.
template <class Half> using HalfWarpgroups = WarpgroupGemm<Half, 128, 128, 3, 0, 2>;
// The same for 64 channels.
template <class Half> using NarrowWarpgroups = WarpgroupGemm<Half, 128, 64, 4, 0, 2>;

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
#define EACH_WARPGROUP(KERNELS) HALF_WARPGROUP(KERNELS, bf16, ) UNLIKE_OTHERS(HALF_WARPGROUP(KERNELS, fp16, ))
#define WARPGROUP_1X1(KERNELS) HALF_WARPGROUP(KERNELS, bf16, _1x1) UNLIKE_OTHERS(HALF_WARPGROUP(KERNELS, fp16, _1x1))
#define HALF_WARPGROUP(KERNELS, half, taps) \
	KERNELS(half, _in_##half##_warpgroup##taps, WholeWarpgroups<half>) KERNELS(half, _in_##half##_warpgroup_half##taps, HalfWarpgroups<half>) \
	KERNELS(half, _in_##half##_warpgroup_narrow##taps, NarrowWarpgroups<half>)
#else
#define EACH_WARPGROUP(KERNELS)
#define WARPGROUP_1X1(KERNELS)
#endif
