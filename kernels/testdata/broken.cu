// Kernels that are wrong on purpose, and some that are right. Most of them reverse their
// block's 64 numbers. Of those whose names begin with blocks there are two blocks.
#include "../ptx.cuh"

struct Reverse {
	float *y;
	const float *x;
	int n;   // 64
	float *z; // 64 zeros
};

KERNEL(64, right, Reverse p) {
	__shared__ float a[64];
	a[threadIdx.x] = p.x[threadIdx.x];
	__syncthreads();
	p.y[threadIdx.x] = a[63 - threadIdx.x];
}

KERNEL(64, blocks_right, Reverse p) { // sums need no order where they are atomic
	atomicAdd(&p.z[63 - threadIdx.x], p.x[threadIdx.x] / 2);
}

KERNEL(64, right_in_warps, Reverse p) {
	__shared__ float a[64];
	for (int i = 0; i < 3; i++) {
		a[threadIdx.x] = p.x[threadIdx.x];
		__syncwarp();
		float v = a[threadIdx.x ^ 31];
		__syncwarp();
		a[threadIdx.x] = v;
	}
	__syncthreads();
	p.y[threadIdx.x] = a[threadIdx.x ^ 32];
}

KERNEL(64, right_copies, Reverse p) {
	__shared__ float4 a[2][16];
	for (int i = 0; i < 4; i++) {
		if (threadIdx.x < 16) cp_async<16>(&a[i % 2][threadIdx.x], p.x + 4 * threadIdx.x);
		cp_async_commit();
		cp_async_wait<0>();
		__syncthreads();
		p.y[threadIdx.x] = reinterpret_cast<float *>(a[i % 2])[63 - threadIdx.x];
	}
}

// The first warp reverses what both have stored, a matrix of 8 × 8: the halves of its rows by
// way of two of the four that a lane gets.
static __device__ void by_matrices(const Reverse &p, bool barrier, int off) {
	alignas(16) __shared__ uint16_t a[8][8];
	a[threadIdx.x / 8][threadIdx.x % 8] = uint16_t(p.x[threadIdx.x]);
	if (barrier) __syncthreads();
	if (threadIdx.x >= 32) return;
	int k = threadIdx.x % 8, second = threadIdx.x / 8 % 2, g = threadIdx.x / 4, t = threadIdx.x % 4;
	uint32_t d[4];
	ldmatrix_across(d, &a[second ? 7 - k : k][0] + off);
	uint32_t two = g < 4 ? d[2] : d[3];
	for (int e = 0; e < 2; e++) p.y[63 - (8 * (g < 4 ? 2 * t + e : 7 - 2 * t - e) + g)] = two >> 16 * e & 0xffff;
}
KERNEL(64, right_matrices, Reverse p) { by_matrices(p, true, 0); }
KERNEL(64, misaligned_matrices, Reverse p) { by_matrices(p, true, 1); }
KERNEL(64, out_of_bounds_matrices, Reverse p) { by_matrices(p, true, 8); }
KERNEL(64, matrices_without_barrier, Reverse p) { by_matrices(p, false, 0); }

KERNEL(64, missing_barrier, Reverse p) {
	__shared__ float a[64];
	a[threadIdx.x] = p.x[threadIdx.x];
	p.y[threadIdx.x] = a[63 - threadIdx.x];
}

KERNEL(64, missing_wait, Reverse p) { // the copy may still be on its way
	__shared__ float4 a[16];
	if (threadIdx.x < 16) {
		cp_async<16>(&a[threadIdx.x], p.x + 4 * threadIdx.x);
		cp_async_commit();
		cp_async_commit();
	}
	cp_async_wait<2>();
	__syncthreads();
	p.y[threadIdx.x] = reinterpret_cast<float *>(a)[63 - threadIdx.x];
	cp_async_wait<0>();
}

KERNEL(64, barrier_too_few, Reverse p) { // the second use of a must wait for the first
	__shared__ float a[64];
	a[threadIdx.x] = p.x[threadIdx.x];
	__syncthreads();
	float v = a[63 - threadIdx.x];
	a[threadIdx.x] = v;
	__syncthreads();
	p.y[threadIdx.x] = a[threadIdx.x];
}

KERNEL(64, uninitialised_shared, Reverse p) {
	__shared__ float a[64];
	if (threadIdx.x != 5) a[threadIdx.x] = p.x[threadIdx.x];
	__syncthreads();
	p.y[threadIdx.x] = a[63 - threadIdx.x];
}

KERNEL(64, uninitialised_dynamic, Reverse p) {
	DYNAMIC_SHARED(float, a);
	if (threadIdx.x != 5) a[threadIdx.x] = p.x[threadIdx.x];
	__syncthreads();
	p.y[threadIdx.x] = a[63 - threadIdx.x];
}

KERNEL(64, warp_without_sync, Reverse p) { // lanes are not in lockstep
	__shared__ float a[64];
	a[threadIdx.x] = p.x[threadIdx.x];
	float v = a[threadIdx.x ^ 31];
	p.y[threadIdx.x] = v;
}

KERNEL(64, blocks_race, Reverse p) { // every block writes the same place
	p.y[threadIdx.x] = p.x[threadIdx.x] + blockIdx.x;
}

KERNEL(64, out_of_bounds_read, Reverse p) {
	p.y[threadIdx.x] = p.x[64 - threadIdx.x];
}

KERNEL(64, out_of_bounds_write, Reverse p) {
	p.y[threadIdx.x + 1] = p.x[threadIdx.x];
}

KERNEL(64, out_of_bounds_shared, Reverse p) {
	__shared__ float a[64];
	__shared__ float b[64];
	a[threadIdx.x + 1] = p.x[threadIdx.x];
	b[threadIdx.x] = 0;
	__syncthreads();
	p.y[threadIdx.x] = a[63 - threadIdx.x] + b[threadIdx.x];
}

KERNEL(64, out_of_bounds_dynamic, Reverse p) {
	DYNAMIC_SHARED(float, a);
	a[threadIdx.x + 1] = p.x[threadIdx.x];
	__syncthreads();
	p.y[threadIdx.x] = a[63 - threadIdx.x];
}

KERNEL(64, no_wait, Reverse p) {
	__shared__ float4 a[64];
	cp_async<16>(&a[threadIdx.x], p.x);
	p.y[threadIdx.x] = p.x[threadIdx.x];
}

KERNEL(64, misaligned_copy, Reverse p) {
	__shared__ float4 a[16];
	if (threadIdx.x < 15) cp_async<16>(&a[threadIdx.x], p.x + 4 * threadIdx.x + 2);
	cp_async_commit();
	cp_async_wait<0>();
	__syncthreads();
	p.y[threadIdx.x] = reinterpret_cast<float *>(a)[63 - threadIdx.x];
}

KERNEL(64, divergent_barrier, Reverse p) {
	if (threadIdx.x < 40) __syncthreads();
	p.y[threadIdx.x] = p.x[threadIdx.x];
}

KERNEL(64, divergent_shuffle, Reverse p) {
	float v = p.x[threadIdx.x];
	if (threadIdx.x % 32 < 16) v = __shfl_xor_sync(~0u, v, 1);
	p.y[threadIdx.x] = v;
}

KERNEL(64, different_barriers, Reverse p) {
	if (threadIdx.x < 32) {
		__syncthreads();
	} else {
		__syncthreads();
	}
	p.y[threadIdx.x] = p.x[threadIdx.x];
}

KERNEL(64, different_shuffles, Reverse p) {
	float v = p.x[threadIdx.x];
	if (threadIdx.x % 32 < 16)
		v = __shfl_xor_sync(~0u, v, 1);
	else
		v = __shfl_xor_sync(~0u, v, 2);
	p.y[threadIdx.x] = v;
}

KERNEL(64, half_a_warp, Reverse p) {
	float v = p.x[threadIdx.x];
	if (threadIdx.x % 32 < 16) v = __shfl_xor_sync(0xffff, v, 1);
	p.y[threadIdx.x] = v;
}

KERNEL(64, divergent_product, Reverse p) {
	float d[4] = {};
	uint32_t a[4] = {}, b[2] = {};
	if (threadIdx.x % 32 < 31) mma_bf16(d, a, b);
	p.y[threadIdx.x] = d[0];
}

// What follows is wrong where only check.cpp looks.

KERNEL(64, shuffle_orders_nothing, Reverse p) { // it makes a warp meet, and says nothing of memory
	__shared__ float a[64];
	a[threadIdx.x] = p.x[threadIdx.x];
	int other = __shfl_xor_sync(~0u, int(threadIdx.x), 31);
	p.y[threadIdx.x] = a[other];
}

KERNEL(64, overtaken, Reverse p) { // a warp may come round again before another has read
	__shared__ float a[64];
	for (int i = 0; i < 2; i++) {
		a[threadIdx.x] = p.x[threadIdx.x];
		__syncthreads();
		p.y[threadIdx.x] = a[63 - threadIdx.x];
	}
}

KERNEL(64, copy_over_readers, Reverse p) { // as the one before, by a copy
	__shared__ float4 a[16];
	for (int i = 0; i < 2; i++) {
		if (threadIdx.x < 16) cp_async<16>(&a[threadIdx.x], p.x + 4 * threadIdx.x);
		cp_async_commit();
		cp_async_wait<0>();
		__syncthreads();
		p.y[threadIdx.x] = reinterpret_cast<float *>(a)[63 - threadIdx.x];
	}
}

KERNEL(64, same_place, Reverse p) { // though it is the same number
	p.y[threadIdx.x / 2] = p.x[threadIdx.x / 2];
}

KERNEL(64, blocks_same_place, Reverse p) {
	p.y[threadIdx.x] = p.x[threadIdx.x];
}

KERNEL(64, blocks_read_blocks, Reverse p) { // the second block counts on the first
	if (blockIdx.x == 0) p.z[threadIdx.x] = p.x[63 - threadIdx.x];
	else p.y[threadIdx.x] = p.z[threadIdx.x];
}

KERNEL(64, blocks_read_a_sum, Reverse p) { // which may not be complete
	atomicAdd(&p.z[threadIdx.x], 1.f);
	if (blockIdx.x == 1) p.y[threadIdx.x] = p.z[threadIdx.x];
}

KERNEL(64, uninitialised, Reverse p) {
	p.y[threadIdx.x] = p.x[threadIdx.x] + (threadIdx.x == 7 ? p.y[7] * 0 : 0);
}

KERNEL(64, misaligned_quad, Reverse p) {
	float4 v = *reinterpret_cast<const float4 *>(p.x + threadIdx.x % 16 + 1);
	p.y[threadIdx.x] = v.x + v.w;
}

KERNEL(64, misaligned_pair, Reverse p) {
	__shared__ uint32_t a[66];
	*reinterpret_cast<uint64_t *>(&a[threadIdx.x + 1]) = threadIdx.x;
	p.y[threadIdx.x] = p.x[threadIdx.x];
}

KERNEL(64, large_index, Reverse p) {
	int at = p.n * (1 << 26) + threadIdx.x;
	p.y[threadIdx.x] = p.x[at & 63];
}

KERNEL(64, large_place, Reverse p) { // counts of blocks and threads are unsigned
	index_t at = (blockDim.x << 16) * (gridDim.x + 1024) + threadIdx.x;
	p.y[threadIdx.x] = p.x[at & 63];
}

KERNEL(64, large_float, Reverse p) { // a GPU makes the largest int of it, a processor the smallest
	p.y[threadIdx.x] = int(p.x[threadIdx.x] * 1e9f);
}
