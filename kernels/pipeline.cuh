// The tiled product with its loads ahead of its sums: while one tile is multiplied,
// the next ones are on their way to shared memory, 16 bytes a copy (cp.async), and
// no loop over tiles divides. For a Problem (gemm.cuh) whose memory comes in quads,
// four elements that lie side by side and are there or not together: channels that
// are multiples of 4. Of 16 bits there are eight in a copy, or four where channels are
// no multiples of 8. For any other channels, such as a network's first, there is a tile
// whose elements are copied one by one, 4 bytes a copy.
//
// A tile of an operand is so many rows × depth common indices, stored as memory
// runs. A thread takes a quad along k from it at a time; where the elements lie is
// swizzled so that neither that nor the copies meet in a bank:
//
//   along k   [row][k]: the quad k/4 at k/4 ^ swizzle(row). Eight rows at one k, and
//             two rows at four, lie in all 32 banks.
//   across    [k][row]: row at row ^ 8·(k/4 % 4). Eight rows at four quads do.
//             Of 16 bits, at row ^ 8·(k % 8): eight k of eight rows do.
//
// The tensor cores' fragments ask for k = 2t, 2t+1, 2t+8, 2t+9 from lane t of four.
// A sum does not mind which k is which so long as A and B agree: lane t gives 4t to
// 4t+3, one load of 16 bytes where memory runs along k. Where both run across in 16 bits, as
// of a weight gradient, ldmatrix turns them around, and k is in its order.
//
// Bound: a block reads (m + n)·4 bytes and makes 2·m·n FLOP for each k: 32 FLOP a
// byte for Large, from L2 where another block has read the same. Its shared memory,
// stages·(m + n)·depth·4 bytes, is 96 KiB for Large, 48 for Small, and less of what has
// 16 bits; Large's sums and
// addresses take more than 128 registers a thread: one block of eight warps on an SM.
#pragma once

#include "gemm.cuh"

constexpr int depth = 32;

// Warps share the tile out in a grid. Of float32 so many blocks' shared memory goes on a
// multiprocessor at most; 0 where registers are what ends it.
template <int m_, int n_, int warps_m_, int warps_n_, int stages_, int most_> struct Shape {
	static constexpr int m = m_, n = n_, warps_m = warps_m_, warps_n = warps_n_, stages = stages_, most = most_;
	static constexpr int threads = 32 * warps_m * warps_n;
};
typedef Shape<128, 128, 2, 4, 3, 0> Large;
typedef Shape<64, 64, 2, 2, 3, 4> Small;

__device__ __forceinline__ float4 quad_at(const float *p) { return *reinterpret_cast<const float4 *>(p); }
__device__ __forceinline__ float4 quad_of(float a, float b, float c, float d) { return make_float4(a, b, c, d); }

// Four 16-bit elements, the first lowest.
struct alignas(8) ShortQuad { uint32_t low, high; };

template <class Half> __device__ __forceinline__ ShortQuad quad_at(const Half *p) { return *reinterpret_cast<const ShortQuad *>(p); }
template <class Half> __device__ __forceinline__ ShortQuad quad_of(Half a, Half b, Half c, Half d) {
	return {a.bits | uint32_t(b.bits) << 16, c.bits | uint32_t(d.bits) << 16};
}

template <class T, bool along_k_, int rows_> struct OperandTile {
	typedef T Element;
	static constexpr bool along_k = along_k_;
	static constexpr int rows = rows_, depth = ::depth;
	static constexpr int line = along_k ? depth : rows, period = along_k ? 8 : 16; // of so many lines are swizzled alike
	alignas(16) T at[rows * depth];

	static __device__ int place(int row, int k) {
		if (along_k && sizeof(T) == 2) return row * depth + (k / 4 ^ (row >> 1 & 1) << 2) * 4 + k % 4;
		if (along_k) return row * depth + (k / 4 ^ (row & 1) << 2 ^ (row >> 1 & 3)) * 4 + k % 4;
		return k * rows + (row ^ (sizeof(T) == 2 ? k % 8 : k / 4 % 4) * 8);
	}
	// Four of the row from k on, a multiple of 4.
	__device__ auto quad(int row, int k) const {
		const T *p = &at[place(row, k)];
		if constexpr (along_k) return quad_at(p);
		else return quad_of(p[0], p[rows], p[2 * rows], p[3 * rows]);
	}
};

// Loader is one thread's share of an operand's copies, of so many elements each: whole
// quads, which lie side by side in the tile, too. Line is Row or Column.
// Where nothing is left out and there are registers for it, it jumps from copy to copy.
template <class Tile, int threads, int each, bool jumps, class Line, class Common, class Jump> struct Loader {
	static constexpr bool along_k = Tile::along_k;
	static constexpr int rows = Tile::rows, depth = Tile::depth;
	static constexpr int per_line = (along_k ? depth : rows) / each; // copies
	static constexpr int step = threads / per_line;                  // lines that all threads copy at once
	static constexpr int loads = (along_k ? rows : depth) / step;

	Line lines[along_k ? loads : 1];
	Common common; // of the next copy
	Jump jump;     // to the one after it

	// Line says what is known of the i-th row of the tile.
	template <class Problem, class Known> __device__ Loader(const Problem &problem, Known line) {
		int side = each * (threadIdx.x % per_line), first = threadIdx.x / per_line;
#pragma unroll
		for (int i = 0; i < (along_k ? loads : 1); i++) lines[i] = line(along_k ? first + i * step : side);
		common = problem.common(problem.k_first + (along_k ? side : first));
		if constexpr (jumps) jump = problem.jump(along_k ? depth : step);
	}

	static __device__ int place(int line, int side) { return along_k ? Tile::place(line, side) : Tile::place(side, line); }

	// At says which common index the tile's i-th is.
	template <class Problem, class At, class Find> __device__ void load(const Problem &problem, Tile &tile, At at, Find find) {
		int side = each * (threadIdx.x % per_line), first = threadIdx.x / per_line, start = place(first, side);
#pragma unroll
		for (int i = 0; i < loads; i++) {
			int line = first + i * step;
			if constexpr (!jumps)
				if (!along_k || i == 0) problem.advance(common, at(along_k ? side : line) - common.k);
			auto from = find(lines[along_k ? i : 0], common);
			cp_async<each * sizeof(typename Tile::Element)>(&tile.at[step % Tile::period == 0 ? start + i * step * Tile::line : place(line, side)], from.at, from.there);
			if constexpr (jumps)
				if (!along_k || i == loads - 1) problem.advance(common, jump);
		}
	}
};

// OneLoader copies single elements. Neighbouring threads take what memory has side by
// side: of a row 8 elements at a time, of a common index whatever rows there are.
template <class Tile, int threads, int, bool jumps, class Line, class Common, class Jump> struct OneLoader {
	static constexpr bool along_k = Tile::along_k;
	static constexpr int rows = Tile::rows, depth = Tile::depth;
	static constexpr int abreast = along_k ? 8 : rows;
	static constexpr int step = threads / abreast;
	static constexpr int lines_each = along_k ? rows / step : 1;
	static constexpr int advances = along_k ? abreast : step, copies = depth / advances; // of common for each tile

	Line lines[lines_each];
	Common common;
	Jump jump;
	int k;

	template <class Problem, class Known> __device__ OneLoader(const Problem &problem, Known line) : k(problem.k_first) {
		int side = threadIdx.x % abreast, first = threadIdx.x / abreast;
#pragma unroll
		for (int i = 0; i < lines_each; i++) lines[i] = line(along_k ? first + i * step : side);
		common = problem.common(k + (along_k ? side : first));
		if constexpr (jumps) jump = problem.jump(advances);
	}

	template <class Problem, class At, class Find> __device__ void load(const Problem &problem, Tile &tile, At from, Find find) {
		int side = threadIdx.x % abreast, first = threadIdx.x / abreast;
		if constexpr (!jumps) problem.advance(common, from(0) - k);
		k = from(0);
#pragma unroll 1
		for (int j = 0; j < copies; j++) {
			int at = along_k ? side : first;
#pragma unroll
			for (int i = 0; i < lines_each; i++) {
				auto from = find(lines[i], common);
				cp_async<sizeof(typename Tile::Element)>(&tile.at[Tile::place(along_k ? first + i * step : side, at + j * advances)], from.at, from.there);
			}
			if constexpr (jumps) problem.advance(common, jump);
			else problem.advance(common, advances);
			k += advances;
		}
	}
};

// Exact: a thread's rows and columns lie a step apart.
template <class Shape> struct ExactSums {
	static constexpr int step_m = Shape::threads / 16, step_n = 16, rows = Shape::m / step_m, columns = Shape::n / step_n;
	float sum[rows][columns] = {};
	int m = threadIdx.x / 16, n = threadIdx.x % 16;

	template <class A, class B> __device__ void add(const A &a, const B &b) {
#pragma unroll 2
		for (int k = 0; k < depth; k += 4) {
			float4 of_b[columns];
#pragma unroll
			for (int j = 0; j < columns; j++) of_b[j] = b.quad(n + j * step_n, k);
#pragma unroll
			for (int i = 0; i < rows; i++) {
				float4 of_a = a.quad(m + i * step_m, k);
#pragma unroll
				for (int j = 0; j < columns; j++) {
					sum[i][j] += of_a.x * of_b[j].x;
					sum[i][j] += of_a.y * of_b[j].y;
					sum[i][j] += of_a.z * of_b[j].z;
					sum[i][j] += of_a.w * of_b[j].w;
				}
			}
		}
	}
	template <class Tile> __device__ void store(const Tile &tile, int m0, int n0) const {
#pragma unroll
		for (int i = 0; i < rows; i++)
#pragma unroll
			for (int j = 0; j < columns; j++) tile.store(m0 + m + i * step_m, n0 + n + j * step_n, sum[i][j]);
	}
};

// A quad of B and two of A, eight rows apart, are the fragments of 16 k.
struct Tf32Quads {
	struct B { uint32_t first[2], second[2]; };

	static __device__ B of(const float4 &b) { return {{to_tf32(b.x), to_tf32(b.y)}, {to_tf32(b.z), to_tf32(b.w)}}; }
	struct A { uint32_t first[4], second[4]; };
	static __device__ A of(const float4 &low, const float4 &high) {
		return {{to_tf32(low.x), to_tf32(high.x), to_tf32(low.y), to_tf32(high.y)}, {to_tf32(low.z), to_tf32(high.z), to_tf32(low.w), to_tf32(high.w)}};
	}
	static __device__ void add(float d[4], const A &a, const B &b) {
		mma_tf32(d, a.first, b.first);
		mma_tf32(d, a.second, b.second);
	}
};

template <class Half> struct HalfQuads {
	struct B { uint32_t all[2]; };
	static __device__ B of(const float4 &b) { return {{Half::pair(b.x, b.y), Half::pair(b.z, b.w)}}; }
	static __device__ B of(const ShortQuad &b) { return {{b.low, b.high}}; }
	struct A { uint32_t all[4]; };
	static __device__ A of(const float4 &low, const float4 &high) {
		return {{Half::pair(low.x, low.y), Half::pair(high.x, high.y), Half::pair(low.z, low.w), Half::pair(high.z, high.w)}};
	}
	static __device__ A of(const ShortQuad &low, const ShortQuad &high) { return {{low.low, high.low, low.high, high.high}}; }
	static __device__ void add(float d[4], const A &a, const B &b) { Half::mma(d, a.all, b.all); }
};

// On tensor cores: a warp's part of the tile in products of 16 × 8.
template <class Shape, class Quads> struct TensorSums {
	static constexpr int rows = Shape::m / Shape::warps_m / 16, columns = Shape::n / Shape::warps_n / 8;
	float sum[rows][columns][4] = {};
	int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
	int m = threadIdx.x / 32 / Shape::warps_n * rows * 16, n = threadIdx.x / 32 % Shape::warps_n * columns * 8;

	template <class A, class B> __device__ void add(const A &a, const B &b) {
		if constexpr (!A::along_k && !B::along_k && sizeof(typename A::Element) == 2) add_across(a, b);
		else add_quads(a, b);
	}
	template <class A, class B> __device__ void add_quads(const A &a, const B &b) {
#pragma unroll
		for (int k = 0; k < depth; k += 16) {
			typename Quads::B of_b[columns];
#pragma unroll
			for (int j = 0; j < columns; j++) of_b[j] = Quads::of(b.quad(n + j * 8 + g, k + 4 * t));
#pragma unroll
			for (int i = 0; i < rows; i++) {
				typename Quads::A of_a = Quads::of(a.quad(m + i * 16 + g, k + 4 * t), a.quad(m + i * 16 + g + 8, k + 4 * t));
#pragma unroll
				for (int j = 0; j < columns; j++) Quads::add(sum[i][j], of_a, of_b[j]);
			}
		}
	}
	// A lane says where a row of a matrix is: two of them lie side by side along k and two across.
	template <class A, class B> __device__ void add_across(const A &a, const B &b) {
		int lane = threadIdx.x % 32, low = lane % 8, half = lane / 8 % 2 * 8, upper = lane / 16 * 8;
#pragma unroll
		for (int k = 0; k < depth; k += 16) {
			uint32_t of_b[columns / 2][4];
#pragma unroll
			for (int j = 0; j < columns / 2; j++) ldmatrix_across(of_b[j], &b.at[B::place(n + j * 16 + upper, k + half + low)]);
#pragma unroll
			for (int i = 0; i < rows; i++) {
				typename Quads::A of_a;
				ldmatrix_across(of_a.all, &a.at[A::place(m + i * 16 + half, k + upper + low)]);
#pragma unroll
				for (int j = 0; j < columns; j++) Quads::add(sum[i][j], of_a, {{of_b[j / 2][j % 2 * 2], of_b[j / 2][j % 2 * 2 + 1]}});
			}
		}
	}
	template <class Tile> __device__ void store(const Tile &tile, int m0, int n0) const {
#pragma unroll
		for (int i = 0; i < rows; i++)
#pragma unroll
			for (int j = 0; j < columns; j++)
#pragma unroll
				for (int e = 0; e < 4; e++)
					tile.store(m0 + m + i * 16 + g + e / 2 * 8, n0 + n + j * 8 + 2 * t + e % 2, sum[i][j][e]);
	}
};

// Shorts is how many elements of 16 bits are in a copy.
template <class Shape, class Sums, int shorts = 8, template <class, int, int, bool, class, class, class> class Copies = Loader> struct PipelinedGemm : Shape {
	typedef float Weight;
	static constexpr bool octets = false;
	template <class T> static constexpr int blocks = sizeof(T) == 4 ? Shape::most : 0;
	template <class T> static constexpr int forward_blocks = blocks<T> ? 3 : 0; // one less, for the registers of the epilogue
	template <class T> static constexpr int each = sizeof(T) == 2 ? shorts : 4;

	template <class Problem> static __device__ void run(const Problem &problem, int m0, int n0) { store_tile<PipelinedGemm>(sums(problem, m0, n0), problem, m0, n0); }

	template <class Problem> static __device__ Sums sums(const Problem &problem, int m0, int n0) {
		typedef typename Problem::Common Common;
		typedef OperandTile<typename Problem::A, Problem::a_along_k, Shape::m> TileA;
		typedef OperandTile<typename Problem::B, Problem::b_along_k, Shape::n> TileB;
		struct Stage {
			TileA a;
			TileB b;
		};
		DYNAMIC_SHARED(float4, shared);
		Stage *stage = reinterpret_cast<Stage *>(shared);
		constexpr bool jumps = !Problem::masked && !blocks<typename Problem::A>;
		Copies<TileA, Shape::threads, each<typename Problem::A>, jumps, typename Problem::Row, Common, typename Problem::Jump> a(problem, [&](int m) { return problem.row(m0 + m); });
		Copies<TileB, Shape::threads, each<typename Problem::B>, jumps, typename Problem::Column, Common, typename Problem::Jump> b(problem, [&](int n) { return problem.column(n0 + n); });

		// The first tile from k on that has anything but zeros.
		auto seek = [&](int k) {
			while (k < problem.k_last && !problem.any(k, min(k + depth, problem.k_last))) k += depth;
			return k;
		};
		int ahead = seek(problem.k_first), first = ahead; // the next tile to load
		auto load = [&](Stage &to) {
			if (ahead < problem.k_last) {
				auto at = [&](int i) { return ahead + i; };
				a.load(problem, to.a, at, [&](const typename Problem::Row &m, const Common &k) { return problem.a(m, k); });
				b.load(problem, to.b, at, [&](const typename Problem::Column &n, const Common &k) { return problem.b(k, n); });
				ahead = seek(ahead + depth);
			}
			cp_async_commit(); // of nothing, at the end: the count of groups stays that of tiles
		};

#pragma unroll 1
		for (int i = 0; i < Shape::stages - 1; i++) load(stage[i]);
		Sums all;
		int now = 0, free = Shape::stages - 1;
		for (int k = first; k < problem.k_last; k = seek(k + depth)) {
			cp_async_wait<Shape::stages - 2>();
			__syncthreads(); // the tile is there for all, and all are done with the one before
			load(stage[free]);
			all.add(stage[now].a, stage[now].b);
			free = now;
			now = now + 1 == Shape::stages ? 0 : now + 1;
		}
		return all;
	}
};

typedef TiledGemm<Float32> TiledExact;
typedef TiledGemm<Tf32> TiledTf32;
template <class Half> using TiledHalf = TiledGemm<Halves<Half>>;
typedef PipelinedGemm<Small, ExactSums<Small>> SmallExact;
typedef PipelinedGemm<Small, TensorSums<Small, Tf32Quads>> SmallTf32;
template <class Half> using SmallHalf = PipelinedGemm<Small, TensorSums<Small, HalfQuads<Half>>>;
template <class Half> using ShortHalf = PipelinedGemm<Small, TensorSums<Small, HalfQuads<Half>>, 4>;
typedef PipelinedGemm<Small, ExactSums<Small>, 1, OneLoader> OnesExact;
typedef PipelinedGemm<Small, TensorSums<Small, Tf32Quads>, 1, OneLoader> OnesTf32;
template <class Half> using OnesHalf = PipelinedGemm<Small, TensorSums<Small, HalfQuads<Half>>, 1, OneLoader>;
typedef PipelinedGemm<Large, ExactSums<Large>> LargeExact;
typedef PipelinedGemm<Large, TensorSums<Large, Tf32Quads>> LargeTf32;
template <class Half> using LargeHalf = PipelinedGemm<Large, TensorSums<Large, HalfQuads<Half>>>;
