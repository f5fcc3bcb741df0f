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
		bits = uint16_t(to_bf16x2(v, 0));
		return *this;
	}
};

// STORED makes a kernel of a template, name_of, for each kind of memory. Its
// parameters are a template, too.
#define STORED(threads, name, Params) \
	KERNEL(threads, name, Params<float> p) { name##_of(p); } \
	KERNEL(threads, name##_in_bf16, Params<bf16> p) { name##_of(p); }

// STORED_SUMS likewise, of column_threads that add up through sums.
#define STORED_SUMS(name, Params) \
	KERNEL(column_threads, name, Params<float> p) { __shared__ float sums[column_threads]; name##_of(p, sums); } \
	KERNEL(column_threads, name##_in_bf16, Params<bf16> p) { __shared__ float sums[column_threads]; name##_of(p, sums); }
