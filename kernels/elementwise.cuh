// The activations and how a flat loop is spread over a grid.
#pragma once

#include "device.cuh"

enum Act { IDENTITY, RELU, RELU6 }; // engine.Act

// A NaN stays one.
__device__ __forceinline__ float activated(int act, float v) {
	if (act != IDENTITY && v < 0) v = 0;
	if (act == RELU6 && v > 6) v = 6;
	return v;
}

// The gradient dy passes where the output y says so.
__device__ __forceinline__ float gated(int act, float dy, float y) {
	return act == IDENTITY || (y > 0 && (act == RELU || y < 6)) ? dy : 0;
}

// FLAT is for (index_t i = …; i < n; i += …) over the whole grid.
#define FLAT(i, n) \
	(index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x, i##_n = (n); i < i##_n; i += index_t(gridDim.x) * blockDim.x)
