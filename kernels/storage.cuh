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
	template <bool a_across, bool b_across, int n> static __device__ void wgmma(float (&d)[n], uint64_t a, uint64_t b) { wgmma_bf16<a_across, b_across>(d, a, b); }
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
	template <bool a_across, bool b_across, int n> static __device__ void wgmma(float (&d)[n], uint64_t a, uint64_t b) { wgmma_fp16<a_across, b_across>(d, a, b); }
};

// So many that lie side by side, at a multiple of their size or of 16 bytes.
template <class T, int n> struct alignas(n * sizeof(T) < 16 ? n * sizeof(T) : 16) Pack {
	T at[n];

	__device__ Pack &operator+=(const Pack &by) {
#pragma unroll
		for (int i = 0; i < n; i++) at[i] += by.at[i];
		return *this;
	}
};

// The upper one of two is widened where it lies.
template <int n> __device__ __forceinline__ Pack<float, n> widened(const Pack<bf16, n> &all) {
	Pack<float, n> v;
	if constexpr (n % 2 == 0) {
		uint32_t two[n / 2];
		memcpy(two, &all, sizeof two);
#pragma unroll
		for (int i = 0; i < n; i++) v.at[i] = i % 2 ? from_upper(two[i / 2]) : from_bf16(uint16_t(two[i / 2]));
	} else {
#pragma unroll
		for (int i = 0; i < n; i++) v.at[i] = all.at[i];
	}
	return v;
}
template <int n, class T> __device__ __forceinline__ Pack<T, n> pack_at(const T *p) { return *reinterpret_cast<const Pack<T, n> *>(p); }
template <class T, int n> __device__ __forceinline__ Pack<float, n> widened(const Pack<T, n> &all) {
	Pack<float, n> v;
#pragma unroll
	for (int i = 0; i < n; i++) v.at[i] = all.at[i];
	return v;
}
template <class T, int n> __device__ __forceinline__ void put_pack(T *p, const Pack<float, n> &v) {
	if constexpr (sizeof(T) == 2 && n >= 4) {
		uint32_t two[n / 2];
#pragma unroll
		for (int i = 0; i < n / 2; i++) two[i] = T::pair(v.at[2 * i], v.at[2 * i + 1]);
		store_words(p, two);
	} else {
		Pack<T, n> all;
#pragma unroll
		for (int i = 0; i < n; i++) all.at[i] = v.at[i];
		*reinterpret_cast<Pack<T, n> *>(p) = all;
	}
}

// STORED makes a kernel of a template, name_of, for each kind of memory. Its
// parameters are a template, too. STORED_BLOCKS has registers for so many blocks at once.
#define STORED(threads, name, Params) STORED_BLOCKS(threads, 0, name, Params)
#define STORED_BLOCKS(threads, blocks, name, Params) \
	KERNEL(THREADS(threads, blocks), name, Params<float> p) { name##_of(p); } \
	KERNEL(THREADS(threads, blocks), name##_in_bf16, Params<bf16> p) { name##_of(p); } \
	KERNEL(THREADS(threads, blocks), name##_in_fp16, Params<fp16> p) { name##_of(p); }
