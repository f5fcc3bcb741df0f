// How kernels walk a matrix [rows, c] by channels: neighbouring threads take
// neighbouring columns, each as many as lie in a pack, so that loads are whole lines, and
// the rest of the block shares out the rows of the block's chunk.
#pragma once

#include "storage.cuh"

constexpr int column_threads = 256;

// How many rows a thread asks for before it uses them: 32 bytes of each operand, or four numbers.
template <class T, int each> constexpr int rows_ahead = sizeof(Pack<T, each>) == 16 ? 2 : 4;

// The grid is ceil(c/(width·each)) blocks by ceil(rows/chunk). Width is a power of two up
// to 256; c is a multiple of each.
struct Columns {
	int rows, c;
	int width, chunk;
	int each;

	__device__ int column() const { return (blockIdx.x * width + threadIdx.x % width) * each; }
	__device__ int first() const { return blockIdx.y * chunk + threadIdx.x / width; }
	__device__ int last() const { return min(rows, int(blockIdx.y + 1) * chunk); }
	__device__ int step() const { return column_threads / width; }
};

// For the thread's part of each of its rows: load(j, at) of so many before any use(j, at).
template <int ahead, class Load, class Use> __device__ __forceinline__ void walk(const Columns &m, Load load, Use use) {
	int i = m.first(), n = m.last(), by = m.step();
	index_t at = index_t(i) * m.c + m.column(), next = index_t(by) * m.c;
	for (; i + (ahead - 1) * by < n; i += ahead * by, at += ahead * next) {
#pragma unroll
		for (int j = 0; j < ahead; j++) load(j, at + j * next);
#pragma unroll
		for (int j = 0; j < ahead; j++) use(j, at + j * next);
	}
#pragma unroll 1
	for (; i < n; i += by, at += next) {
		load(0, at);
		use(0, at);
	}
}

// The same of all rows, which the blocks go through side by side: L2 holds what a kernel has
// had last, so that the next one reads it there where it begins at that end. Products go up.
enum Direction { UP, DOWN };

template <int ahead, Direction to, class Load, class Use> __device__ __forceinline__ void sweep(const Columns &m, Load load, Use use) {
	const index_t by = m.step(), all = gridDim.y * ahead * by;
	auto place = [&](index_t i) { return (to == UP ? i : m.rows - 1 - i) * m.c + m.column(); };
	index_t i = blockIdx.y * ahead * by + threadIdx.x / m.width;
	for (; i + (ahead - 1) * by < m.rows; i += all) {
#pragma unroll
		for (int j = 0; j < ahead; j++) load(j, place(i + j * by));
#pragma unroll
		for (int j = 0; j < ahead; j++) use(j, place(i + j * by));
	}
#pragma unroll 1
	for (; i < m.rows; i += by) {
		load(0, place(i));
		use(0, place(i));
	}
}

// The block's room for a pack of each thread. No template: g++ would keep what that
// shares out of emu_shared, where the emulation looks for it.
static __device__ void *sums_room() {
	alignas(16) __shared__ float room[4 * column_threads];
	return room;
}

// Sums v over the threads of each column, always in the same order. The first
// width threads get their column's sum.
template <class T> __device__ T column_sum(T v, int width) {
	T *sums = static_cast<T *>(sums_room());
	sums[threadIdx.x] = v;
	__syncthreads();
	for (int n = column_threads / 2; n >= width; n /= 2) {
		if (threadIdx.x < n) sums[threadIdx.x] += sums[threadIdx.x + n];
		__syncthreads();
	}
	T sum = sums[threadIdx.x % width];
	__syncthreads();
	return sum;
}

// STORED_COLUMNS makes a kernel of a template, name_by<each>, for each kind of memory: for
// packs of four columns, and for single ones. Parameters have a Columns at. Four blocks on
// a multiprocessor have enough loads on their way.
#define STORED_COLUMNS(name, Params) \
	template <class T> __device__ __forceinline__ void name##_of(const Params<T> &p) { p.at.each == 4 ? name##_by<4>(p) : name##_by<1>(p); } \
	STORED_BLOCKS(column_threads, 4, name, Params)
