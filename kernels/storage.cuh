// What activations and their gradients lie in memory as: float32, or 16 bits that are
// widened when read and rounded when written. All arithmetic is float32; sums and
// parameters are float32 in memory, too.
#pragma once

#include "ptx.cuh"

// bfloat16: the upper half of a float32, ties to even.
struct bf16 {
	uint16_t bits;

	__device__ operator float() const { return from_bf16(bits); }
	__device__ bf16 &operator=(float v) {
		bits = uint16_t(pair(v, 0));
		return *this;
	}
	static __device__ uint32_t pair(float low, float high) { return to_bf16x2(low, high); }
	static __device__ void mma(float d[4], const uint32_t a[4], const uint32_t b[2]) { mma_bf16(d, a, b); }
};

// Half precision: more bits than bfloat16, of a smaller range.
struct fp16 {
	uint16_t bits;

	__device__ operator float() const { return from_fp16(bits); }
	__device__ fp16 &operator=(float v) {
		bits = uint16_t(pair(v, 0));
		return *this;
	}
	static __device__ uint32_t pair(float low, float high) { return to_fp16x2(low, high); }
	static __device__ void mma(float d[4], const uint32_t a[4], const uint32_t b[2]) { mma_fp16(d, a, b); }
};

// STORED makes a kernel of a template, name_of, for each kind of memory. Its
// parameters are a template, too.
#define STORED(threads, name, Params) \
	KERNEL(threads, name, Params<float> p) { name##_of(p); } \
	KERNEL(threads, name##_in_bf16, Params<bf16> p) { name##_of(p); } \
	KERNEL(threads, name##_in_fp16, Params<fp16> p) { name##_of(p); }
