// What the threads of a warp make together; all of them get it.
#pragma once

#include "device.cuh"

template <class T> __device__ T warp_sum(T v) {
	for (int by = 16; by; by /= 2) v += __shfl_xor_sync(~0u, v, by);
	return v;
}

__device__ __forceinline__ float warp_max(float v) {
	for (int by = 16; by; by /= 2) v = fmaxf(v, __shfl_xor_sync(~0u, v, by));
	return v;
}
