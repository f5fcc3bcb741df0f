// The activations and how a flat loop is spread over a grid.
#pragma once

#include "storage.cuh"

enum Act { IDENTITY, RELU, RELU6, SIGMOID, HARD_SWISH, SILU }; // engine.Act

__device__ __forceinline__ float sigmoid(float v) { return 1 / (1 + expf(-v)); }

// A NaN stays one.
__device__ __forceinline__ float clamped(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

// A NaN stays one.
__device__ __forceinline__ float activated(int act, float v) {
	if (act <= RELU6) {
		if (act != IDENTITY && v < 0) v = 0;
		if (act == RELU6 && v > 6) v = 6;
		return v;
	}
	return act == SIGMOID ? sigmoid(v) : act == SILU ? v * sigmoid(v) : v * clamped(v + 3, 0, 6) * (1.f / 6);
}

// The same of a pack, by an activation that gates: without a branch for each element.
template <int n> __device__ __forceinline__ Pack<float, n> gate(int act, Pack<float, n> v) {
	float low = act == IDENTITY ? -INFINITY : 0, high = act == RELU6 ? 6 : INFINITY;
#pragma unroll
	for (int e = 0; e < n; e++) v.at[e] = clamped(v.at[e], low, high);
	return v;
}
template <int n> __device__ __forceinline__ Pack<float, n> activated(int act, Pack<float, n> v) {
	if (act <= RELU6) return gate(act, v);
#pragma unroll
	for (int e = 0; e < n; e++) v.at[e] = activated(act, v.at[e]);
	return v;
}

// The gradient dy passes where the output y says so. Act is one that gates.
__device__ __forceinline__ float gated(int act, float dy, float y) {
	return act == IDENTITY || (y > 0 && (act == RELU || y < 6)) ? dy : 0;
}

// The derivative of an activation that does not gate: of a sigmoid at the output
// v, of a swish at the input.
__device__ __forceinline__ float slope(int act, float v) {
	if (act == SIGMOID) return v * (1 - v);
	if (act == HARD_SWISH) return v <= -3 ? 0.f : v >= 3 ? 1.f : v / 3 + 0.5f;
	float s = sigmoid(v);
	return s * (1 + v * (1 - s));
}

// FLAT is for (index_t i = …; i < n; i += …) over the whole grid.
#define FLAT(i, n) \
	(index_t i = index_t(blockIdx.x) * blockDim.x + threadIdx.x, i##_n = (n); i < i##_n; i += index_t(gridDim.x) * blockDim.x)

template <int n> struct Number {
	__device__ constexpr operator int() const { return n; }
};

// For len elements, act(i, each) of packs of so many, which are loaded and stored at once,
// and of single ones behind the last pack, or throughout where not packed.
template <int many = 8, class Do> __device__ __forceinline__ void flat(index_t len, Do act, bool packed = true) {
	index_t packs = packed ? len / many : 0;
#pragma unroll 1
	for FLAT(i, packs) act(many * i, Number<many>());
#pragma unroll 1
	for FLAT(i, len - many * packs) act(many * packs + i, Number<1>());
}
