// How kernels walk a matrix [rows, c] by channels: neighbouring threads take
// neighbouring columns, so that loads are whole lines, and the rest of the block
// shares out the rows of the block's chunk.
#pragma once

#include "storage.cuh"

constexpr int column_threads = 256;

// The grid is ceil(c/width) blocks by ceil(rows/chunk). Width is a power of two
// up to 32.
struct Columns {
	int rows, c;
	int width, chunk;

	__device__ int column() const { return blockIdx.x * width + threadIdx.x % width; }
	__device__ int first() const { return blockIdx.y * chunk + threadIdx.x / width; }
	__device__ int last() const { return min(rows, int(blockIdx.y + 1) * chunk); }
	__device__ int step() const { return column_threads / width; }
};

// The block's room for a number of each thread. No template: g++ would keep what that
// shares out of emu_shared, where the emulation looks for it.
static __device__ void *sums_room() {
	__shared__ double room[column_threads];
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
