// Runs kernels on the host. A block's threads are fibers of one host thread that
// change only where CUDA threads may wait for one another: at a barrier or in a
// warp's exchange. What a kernel may not count on is made to differ from run to
// run: the order of threads and blocks (emu_order), and what shared memory holds
// when a block begins. A kernel without a race gives the same bits in every order;
// one with a missing barrier, or that reads shared memory it has not written,
// does not. A warp's exchanges take the whole warp. Under AddressSanitizer every shared array and every allocation has
// its guards; for __shared__ arrays that takes -fsanitize-sections=emu_shared.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <chrono>
#include <vector>

#include "check.h"

extern "C" {
// The order threads and blocks run in, and the byte that shared memory is filled
// with: 0xff makes NaN, 0x7f a large number.
// Of EMU_ENDS only the first and the last block of each axis of the grid run, where it has more than
// 64: a grid too large to run is looked at where its indices are.
enum emu_order { EMU_ASCENDING, EMU_DESCENDING, EMU_SHUFFLED, EMU_ENDS };

struct emu_kernel;
const struct emu_kernel *emu_find(const char *name); // NULL where there is none
size_t emu_params(const struct emu_kernel *);        // bytes

// Device memory of 0xff on a 256-byte boundary, or NULL. What the host puts there it tells
// with emu_written; words of EMU_UNWRITTEN count as none.
void *emu_alloc(size_t bytes);
void emu_free(void *);
void emu_written(const void *, size_t bytes);
enum { EMU_UNWRITTEN = 0x7fc5a5a5 };

// What the driver answers CUDA_ERROR_INVALID_VALUE to, or NULL.
const char *emu_refused(const struct emu_kernel *, const int grid[3], int threads, size_t shared);

// Runs a grid and returns NULL, or what went wrong, valid until the next launch.
// One launch at a time.
const char *emu_launch(const struct emu_kernel *, const void *params, const int grid[3], int threads, size_t shared, enum emu_order);
}

// Where __shared__ arrays lie.
extern "C" char __start_emu_shared[] __attribute__((weak)), __stop_emu_shared[] __attribute__((weak));

#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __restrict__ __restrict
#define __shared__ static __attribute__((section("emu_shared"), used))

#define KERNEL(threads, name, ...)                                         \
	extern "C" void name(__VA_ARGS__);                                     \
	static_assert((threads) <= 1024 && (threads) % 32 == 0, "whole warps"); \
	static emu_kernel emu_kernel_##name{#name, emu::invoker(name), threads}; \
	extern "C" void name(__VA_ARGS__)

#define DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(emu::dynamic_shared())

struct uint3 { emu_count x, y, z; };
struct dim3 { emu_count x, y, z; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
// Bits of anything.
struct __attribute__((may_alias, aligned(8))) uint2 { uint32_t x, y; };
struct __attribute__((may_alias, aligned(16))) uint4 { uint32_t x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace emu {

// Who meets does so at one place, for which its line stands.
void block_barrier(int line);
void warp_barrier(unsigned mask, int line, bool orders_memory = false);
uint64_t *exchange(unsigned mask, uint64_t mine, int line); // what each lane of the warp brought

// What the lanes of a warp bring to a product, there for all of them after
// warp_barrier and until the one after that.
struct Factors { float a[16][16], b[8][16]; };
Factors &factors();
void fail(const char *what);
void *dynamic_shared();

struct Invoker {
	size_t params;
	void (*call)(const void *kernel, const void *params);
	const void *kernel;
};

template <class P> Invoker invoker(void (*kernel)(P)) {
	static_assert(sizeof(P) <= 4 << 10, "a kernel's parameters");
	auto call = [](const void *kernel, const void *params) {
		reinterpret_cast<void (*)(P)>(const_cast<void *>(kernel))(*static_cast<const P *>(params));
	};
	return {sizeof(P), call, reinterpret_cast<const void *>(kernel)};
}

template <class T> T from_lane(unsigned mask, T value, int lane, int line) {
	static_assert(sizeof(T) <= sizeof(uint64_t));
	uint64_t bits = 0;
	memcpy(&bits, &value, sizeof value);
	bits = exchange(mask, bits, line)[lane];
	memcpy(&value, &bits, sizeof value);
	return value;
}

// Products of a warpgroup, by wgmma.cpp. An operand's descriptor says where its element
// (row, k) lies; value widens one.
struct Operands {
	uint64_t a, b;
	bool a_across, b_across;
	int columns;
	float (*value)(uint16_t);
};
uint32_t operand_address(uint64_t descriptor, bool across, int row, int k);
int sum_row(int thread, int i); // of a thread's i-th sum
int sum_column(int thread, int i);
uint32_t shared_address(const void *);
void copy_begins(const void *to);
void copy_ends(const void *to);
void fence_async();
void show(); // what fences came before a barrier that opens
void wgmma_fence();
void wgmma(float *sums, const Operands &);
void wgmma_commit();
void wgmma_wait(int n);
bool multiplies(); // whether the thread's warpgroup has products on their way
void start_products(const char *shared, size_t bytes);
void warpgroup_barrier(void (*last)(int warpgroup)); // what the last to come does before all go on

// What cp.async was asked for. It is made as late as a kernel may count on: at the
// wait; a thread that ends with copies on their way has failed, as one whose copy is
// not aligned has.
struct Copy { void *to; const void *from; int group, bytes; };
struct Copies { std::vector<Copy> waiting; int groups; };
inline Copies copies[1024]; // of each thread

inline int lane() { return threadIdx.x & 31; }

} // namespace emu

struct emu_kernel {
	emu_kernel(const char *name, emu::Invoker invoker, int threads);
	const char *name;
	emu::Invoker invoker;
	int threads;
	emu_kernel *next;
};

// The clock that a kernel reads; here a cycle is a nanosecond.
inline int64_t clock64() { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); }

#define EMU_HERE int line = __builtin_LINE() // of the call

inline void __syncthreads(EMU_HERE) { emu::block_barrier(line); }
inline void __syncwarp(unsigned mask = ~0u, EMU_HERE) { emu::warp_barrier(mask, line, true); }

// A lane outside its group of width keeps its own value, as on the device.
template <class T> T __shfl_sync(unsigned mask, T v, int from, int width = 32, EMU_HERE) {
	return emu::from_lane(mask, v, (emu::lane() & -width) + (from & (width - 1)), line);
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int flip, int width = 32, EMU_HERE) {
	int from = emu::lane() ^ flip;
	return emu::from_lane(mask, v, from < (emu::lane() & -width) + width ? from : emu::lane(), line);
}
template <class T> T __shfl_down_sync(unsigned mask, T v, int by, int width = 32, EMU_HERE) {
	int from = emu::lane() + by;
	return emu::from_lane(mask, v, from < (emu::lane() & -width) + width ? from : emu::lane(), line);
}
template <class T> T __shfl_up_sync(unsigned mask, T v, int by, int width = 32, EMU_HERE) {
	int from = emu::lane() - by;
	return emu::from_lane(mask, v, from >= (emu::lane() & -width) ? from : emu::lane(), line);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, EMU_HERE) {
	const uint64_t *votes = emu::exchange(mask, predicate != 0, line);
	unsigned ballot = 0;
	for (int i = 0; i < 32; i++)
		if (mask >> i & 1 && votes[i]) ballot |= 1u << i;
	return ballot;
}
inline int __any_sync(unsigned mask, int predicate, EMU_HERE) { return __ballot_sync(mask, predicate, line) != 0; }
inline int __all_sync(unsigned mask, int predicate, EMU_HERE) { return __ballot_sync(mask, predicate, line) == mask; }

// Fibers change only at barriers: a plain update is atomic.
template <class T> UNCHECKED T atomicAdd(T *p, T v) { emu::access(p, sizeof v, emu::ATOMIC); T old = *p; *p = old + v; return old; }
template <class T> UNCHECKED T atomicMax(T *p, T v) { emu::access(p, sizeof v, emu::ATOMIC); T old = *p; *p = old < v ? v : old; return old; }
template <class T> UNCHECKED T atomicCAS(T *p, T expected, T v) { emu::access(p, sizeof v, emu::ATOMIC); T old = *p; if (old == expected) *p = v; return old; }

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
