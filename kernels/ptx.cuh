// Every instruction that C++ has no word for, and what it does, in C++, for the
// emulation.
#pragma once

#include "device.cuh"

// A float32 rounded to TF32: 10 bits of mantissa, ties away from zero.
__device__ __forceinline__ uint32_t to_tf32(float v) {
	uint32_t bits;
#ifdef __CUDACC__
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(v));
#else
	memcpy(&bits, &v, 4);
	if ((bits & 0x7f800000) != 0x7f800000) bits += 0x1000;
	else if (bits & 0x7fffff) bits = 0x7fffffff;
	bits &= ~0x1fffu;
#endif
	return bits;
}

// Two float32 rounded to bfloat16, ties to even, in one register.
__device__ __forceinline__ uint32_t to_bf16x2(float low, float high) {
	uint32_t bits;
#ifdef __CUDACC__
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
#else
	auto round = [](float v) -> uint32_t {
		uint32_t b;
		memcpy(&b, &v, 4);
		return v != v ? 0x7fff : (b + 0x7fff + (b >> 16 & 1)) >> 16;
	};
	bits = round(high) << 16 | round(low);
#endif
	return bits;
}

// Two float32 rounded to half precision, ties to even: 11 bits down to 2⁻¹⁴, then
// fewer, to 2⁻²⁴; from 65520 on they are infinite.
__device__ __forceinline__ uint32_t to_fp16x2(float low, float high) {
	uint32_t bits;
#ifdef __CUDACC__
	asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
#else
	auto round = [](float v) -> uint32_t {
		uint32_t b, half;
		memcpy(&b, &v, 4);
		uint32_t sign = b >> 16 & 0x8000, size = b & 0x7fffffff;
		if (v != v) return 0x7fff;
		if (size >= 0x477ff000) return sign | 0x7c00;
		if (size >= 0x38800000) return sign | (size - 0x38000000 + 0xfff + (size >> 13 & 1)) >> 13;
		float sum = fabsf(v) + 0.5f; // whose last bit is 2⁻²⁴
		memcpy(&half, &sum, 4);
		return sign | (half - 0x3f000000);
	};
	bits = round(high) << 16 | round(low);
#endif
	return bits;
}

__device__ __forceinline__ float from_fp16(uint16_t bits) {
	float v;
#ifdef __CUDACC__
	asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(bits));
#else
	uint32_t sign = uint32_t(bits & 0x8000) << 16, size = uint32_t(bits & 0x7fff) << 13;
	size += size >= 0x0f800000 ? 0x70000000 : 0x38000000; // infinite, or not a number
	if ((bits & 0x7c00) == 0) {
		v = (bits & 0x3ff) * 0x1p-24f;
		memcpy(&size, &v, 4);
	}
	size |= sign;
	memcpy(&v, &size, 4);
#endif
	return v;
}

__device__ __forceinline__ float from_bf16(uint16_t bits) {
	uint32_t wide = uint32_t(bits) << 16;
#ifdef __CUDACC__
	return __uint_as_float(wide);
#else
	float v;
	memcpy(&v, &wide, 4);
	return v;
#endif
}

// The bfloat16 in the upper half of a register.
__device__ __forceinline__ float from_upper(uint32_t bits) {
	bits &= 0xffff0000;
#ifdef __CUDACC__
	return __uint_as_float(bits);
#else
	float v;
	memcpy(&v, &bits, 4);
	return v;
#endif
}

// One store to memory of the device, which the compiler would not always make of two or four.
__device__ __forceinline__ void store_words(void *p, const uint32_t (&v)[2]) {
#ifdef __CUDACC__
	asm volatile("st.global.v2.b32 [%0], {%1, %2};" :: "l"(p), "r"(v[0]), "r"(v[1]) : "memory");
#else
	*static_cast<uint2 *>(p) = {v[0], v[1]};
#endif
}
__device__ __forceinline__ void store_words(void *p, const uint32_t (&v)[4]) {
#ifdef __CUDACC__
	asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" :: "l"(p), "r"(v[0]), "r"(v[1]), "r"(v[2]), "r"(v[3]) : "memory");
#else
	*static_cast<uint4 *>(p) = {v[0], v[1], v[2], v[3]};
#endif
}

// cp_async copies 16, 8 or 4 bytes to shared memory while the thread goes on, or writes
// zeros where from is not there, which may lie anywhere then. What a thread has asked for is
// one group at cp_async_commit; cp_async_wait<n> waits until at most its last n groups are
// not there.
template <int bytes> __device__ __forceinline__ void cp_async(void *to, const void *from, bool there = true) {
#ifdef __CUDACC__
	if (bytes == 16)
		asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
			:: "r"(uint32_t(__cvta_generic_to_shared(to))), "l"(from), "r"(there ? 16 : 0) : "memory");
	else
		asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
			:: "r"(uint32_t(__cvta_generic_to_shared(to))), "l"(from), "n"(bytes), "r"(there ? bytes : 0) : "memory");
#else
	emu::Copies &mine = emu::copies[threadIdx.x];
	if (!there) from = nullptr;
	if ((uintptr_t(to) | uintptr_t(from)) % bytes) emu::fail("copies from or to an address that is no multiple of the copy's size");
	emu::copy_begins(to);
	if (from) emu::access(from, bytes, emu::READ);
	emu::access(to, bytes, emu::BEGUN);
	mine.waiting.push_back({to, from, mine.groups, bytes});
#endif
}

__device__ __forceinline__ void cp_async_commit() {
#ifdef __CUDACC__
	asm volatile("cp.async.commit_group;" ::: "memory");
#else
	emu::copies[threadIdx.x].groups++;
#endif
}

template <int n> __device__ __forceinline__ void cp_async_wait() {
#ifdef __CUDACC__
	asm volatile("cp.async.wait_group %0;" :: "n"(n) : "memory");
#else
	emu::Copies &mine = emu::copies[threadIdx.x];
	size_t done = 0;
	for (; done < mine.waiting.size() && mine.waiting[done].group < mine.groups - n; done++) {
		const emu::Copy &c = mine.waiting[done];
		emu::access(c.to, c.bytes, emu::WRITE);
		if (c.from) memcpy(c.to, c.from, c.bytes);
		else memset(c.to, 0, c.bytes);
		emu::copy_ends(c.to);
	}
	mine.waiting.erase(mine.waiting.begin(), mine.waiting.begin() + done);
#endif
}

// ldmatrix_across reads four matrices of 8 × 8 elements of 16 bits from shared memory, where
// lane 8i + k says where the eight of row k of the i-th lie, at a multiple of 16 bytes. Of
// each, the lane gets two of column g: those of rows 2t and 2t+1, as mma_* below has its lanes.
__device__ __forceinline__ void ldmatrix_across(uint32_t (&d)[4], const void *row) {
#ifdef __CUDACC__
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
		: "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(uint32_t(__cvta_generic_to_shared(row))) : "memory");
#else
	if (uintptr_t(row) % 16) emu::fail("reads a matrix's row from an address that is no multiple of 16");
	emu::access(row, 16, emu::READ);
	const uint64_t *rows = emu::exchange(~0u, reinterpret_cast<uintptr_t>(row), __LINE__);
	int g = emu::lane() / 4, t = emu::lane() % 4;
	for (int i = 0; i < 4; i++) {
		uint16_t two[2];
		for (int e = 0; e < 2; e++) memcpy(&two[e], reinterpret_cast<const char *>(rows[8 * i + 2 * t + e]) + 2 * g, 2);
		memcpy(&d[i], two, 4);
	}
#endif
}

// mma_* is d[16,8] += a[16,k]·b[k,8] by a warp, with float32 sums: k is 8 for TF32
// and 16 for 16 bits. With g = lane/4 and t = lane%4, the lane holds of
//
//   d: [g, 2t], [g, 2t+1], [g+8, 2t], [g+8, 2t+1]
//   a: [g, u], [g+8, u], [g, u+k/2], [g+8, u+k/2]     u = t, or the pair 2t, 2t+1
//   b: [u, g], [u+k/2, g]

#ifndef __CUDACC__
namespace emu {

// element(register, i) is the i-th of the elements in a register, of k/8.
template <int k, class Element> void mma(float d[4], const uint32_t a[4], const uint32_t b[2], Element element) {
	constexpr int each = k / 8;
	Factors &all = factors();
	int g = lane() / 4, t = lane() % 4;
	for (int e = 0; e < each; e++) {
		for (int i = 0; i < 4; i++) all.a[g + i % 2 * 8][i / 2 * k / 2 + t * each + e] = element(a[i], e);
		for (int i = 0; i < 2; i++) all.b[g][i * k / 2 + t * each + e] = element(b[i], e);
	}
	warp_barrier(~0u, __LINE__);
	const float *a0 = all.a[g], *a1 = all.a[g + 8], *b0 = all.b[2 * t], *b1 = all.b[2 * t + 1];
	float d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
	for (int i = 0; i < k; i++) {
		d0 += a0[i] * b0[i];
		d1 += a0[i] * b1[i];
		d2 += a1[i] * b0[i];
		d3 += a1[i] * b1[i];
	}
	d[0] = d0, d[1] = d1, d[2] = d2, d[3] = d3;
}

} // namespace emu
#endif

__device__ __forceinline__ void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) {
#ifdef __CUDACC__
	asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		: "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
	emu::mma<8>(d, a, b, [](uint32_t bits, int) {
		float v;
		memcpy(&v, &bits, 4);
		return v;
	});
#endif
}

__device__ __forceinline__ void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
#ifdef __CUDACC__
	asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		: "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
	emu::mma<16>(d, a, b, [](uint32_t bits, int i) { return from_bf16(uint16_t(bits >> 16 * i)); });
#endif
}

__device__ __forceinline__ void mma_fp16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
#ifdef __CUDACC__
	asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
		: "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
	emu::mma<16>(d, a, b, [](uint32_t bits, int i) { return from_fp16(uint16_t(bits >> 16 * i)); });
#endif
}

// wgmma_* is d[64,n] += a[64,16]·b[16,n] by a warpgroup, four warps of which the first
// one's number is a multiple of four, with float32 sums. Both operands lie in shared memory
// and are read while the threads go on. With g, t of lane and w = warp%4, the lane holds
//
//   d: for j < n/8: [16w+g, 8j+2t], [16w+g, 8j+2t+1], [16w+g+8, 8j+2t], [16w+g+8, 8j+2t+1]
//
// An operand lies in rows of 128 bytes, which begin at a multiple of 1 KiB; the 16 bytes
// number i of row r are in place i ^ r%8. Memory runs along k: a row is 64 of one m or n,
// and stride is from eight rows to the next. Or across: a row is 64 m or n of one k, stride
// is the same, and leading is from 64 m or n to the next.
//
// What copies have brought is visible to the tensor cores after fence_async by the thread
// that copied and a barrier. d is the thread's own again after wgmma_wait and wgmma_own.
__device__ __forceinline__ uint32_t shared_address(const void *p) {
#ifdef __CUDACC__
	return uint32_t(__cvta_generic_to_shared(p));
#else
	return emu::shared_address(p);
#endif
}

__device__ __forceinline__ uint64_t wgmma_operand(const void *at, int leading, int stride) {
	constexpr uint64_t swizzled = 1ull << 62; // 128 bytes
	return shared_address(at) >> 4 | uint64_t(leading >> 4) << 16 | uint64_t(stride >> 4) << 32 | swizzled;
}

__device__ __forceinline__ void fence_async() {
#ifdef __CUDACC__
	asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
	emu::fence_async();
#endif
}

// Before the first product, and before one whose d the thread has touched.
__device__ __forceinline__ void wgmma_fence() {
#ifdef __CUDACC__
	asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#else
	emu::wgmma_fence();
#endif
}

// Products since the last commit are one group; wgmma_wait<n> waits for all but the last n.
__device__ __forceinline__ void wgmma_commit() {
#ifdef __CUDACC__
	asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
	emu::wgmma_commit();
#endif
}

template <int n> __device__ __forceinline__ void wgmma_wait() {
#ifdef __CUDACC__
	asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(n) : "memory");
#else
	emu::wgmma_wait(n);
#endif
}

// Keeps the compiler from reading d before what stands above it.
template <int n> __device__ __forceinline__ void wgmma_own(float (&d)[n]) {
#ifdef __CUDACC__
#pragma unroll
	for (int i = 0; i < n; i++) asm volatile("" : "+f"(d[i]) :: "memory");
#endif
}

#ifdef __CUDACC__
#define EIGHT_SUMS(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define WGMMA_128(types, d, a, b, a_across, b_across) \
	asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." types " {" \
		"%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
		"%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
		"%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
		"%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, " \
		"%64, %65, 1, 1, 1, %66, %67;" \
		: EIGHT_SUMS(d, 0), EIGHT_SUMS(d, 8), EIGHT_SUMS(d, 16), EIGHT_SUMS(d, 24), EIGHT_SUMS(d, 32), EIGHT_SUMS(d, 40), EIGHT_SUMS(d, 48), EIGHT_SUMS(d, 56) \
		: "l"(a), "l"(b), "n"(int(a_across)), "n"(int(b_across)) : "memory")
#define WGMMA_64(types, d, a, b, a_across, b_across) \
	asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32." types " {" \
		"%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
		"%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, " \
		"%32, %33, 1, 1, 1, %34, %35;" \
		: EIGHT_SUMS(d, 0), EIGHT_SUMS(d, 8), EIGHT_SUMS(d, 16), EIGHT_SUMS(d, 24) \
		: "l"(a), "l"(b), "n"(int(a_across)), "n"(int(b_across)) : "memory")
#define WGMMA(name, n, type) \
	template <bool a_across, bool b_across> __device__ __forceinline__ void wgmma_##name(float (&d)[n / 2], uint64_t a, uint64_t b) { \
		WGMMA_##n(type "." type, d, a, b, a_across, b_across); \
	}
#else
#define WGMMA(name, n, type) \
	template <bool a_across, bool b_across> void wgmma_##name(float (&d)[n / 2], uint64_t a, uint64_t b) { emu::wgmma(d, {a, b, a_across, b_across, n, from_##name}); }
#endif
WGMMA(bf16, 128, "bf16")
WGMMA(bf16, 64, "bf16")
WGMMA(fp16, 128, "f16")
WGMMA(fp16, 64, "f16")
