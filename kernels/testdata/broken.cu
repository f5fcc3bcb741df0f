// Kernels that are wrong on purpose, and one that is right. Every one but the
// last two reverses its block's 64 numbers.
#include "../ptx.cuh"

struct Reverse {
	float *y;
	const float *x;
	int n;
};

KERNEL(64, right, Reverse p) {
	__shared__ float a[64];
	a[threadIdx.x] = p.x[threadIdx.x];
	__syncthreads();
	p.y[threadIdx.x] = a[63 - threadIdx.x];
}

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
