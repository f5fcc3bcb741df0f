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
	template <bool a_across, bool b_across> static __device__ void wgmma(float (&d)[64], uint64_t a, uint64_t b) { wgmma_bf16<a_across, b_across>(d, a, b); }
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
	template <bool a_across, bool b_across> static __device__ void wgmma(float (&d)[64], uint64_t a, uint64_t b) { wgmma_fp16<a_across, b_across>(d, a, b); }
};

// Eight that lie side by side.
template <class T> struct alignas(16) Eight {
	T at[8];
};

template <class T> __device__ __forceinline__ Eight<float> eight_at(const T *p) {
	Eight<T> all = *reinterpret_cast<const Eight<T> *>(p);
	Eight<float> v;
#pragma unroll
	for (int i = 0; i < 8; i++) v.at[i] = all.at[i];
	return v;
}
template <class T> __device__ __forceinline__ void put_eight(T *p, const Eight<float> &v) {
	Eight<T> all;
#pragma unroll
	for (int i = 0; i < 8; i++) all.at[i] = v.at[i];
	*reinterpret_cast<Eight<T> *>(p) = all;
}
__device__ __forceinline__ void add_eight(Eight<float> &v, const Eight<float> &by) {
#pragma unroll
	for (int i = 0; i < 8; i++) v.at[i] += by.at[i];
}

// STORED makes a kernel of a template, name_of, for each kind of memory. Its
// parameters are a template, too.
#define STORED(threads, name, Params) \
	KERNEL(threads, name, Params<float> p) { name##_of(p); } \
	KERNEL(threads, name##_in_bf16, Params<bf16> p) { name##_of(p); } \
	KERNEL(threads, name##_in_fp16, Params<fp16> p) { name##_of(p); }
