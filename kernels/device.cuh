// What every kernel includes first. nvcc brings CUDA itself; any other compiler
// gets the emulation of emu.h, so that one source is both.
//
//   KERNEL(threads, name, Params p) { … }
//
// is a kernel of that many threads a block, all in x. It takes one struct by
// value, whose twin in Go is in engine/cuda/params.go: fields of 4 or 8 bytes,
// in the same order.
//
//   THREADS(threads, blocks)
//
// in the threads' place tells the compiler that it need not save registers so that more
// blocks run at once on a multiprocessor, for which there is no shared memory; 0 leaves
// it to the compiler.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#define THREADS(threads, blocks) threads, blocks
#define KERNEL(threads, name, ...) \
	extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ __VA_ARGS__)
// The shared memory whose size the launch says.
#define DYNAMIC_SHARED(type, name) extern __shared__ __align__(16) type name[]
#else
#define THREADS(threads, blocks) threads
#include "emu.h"
#endif

// An element's place: a tensor may hold more than 2³¹ of them.
typedef int64_t index_t;

__host__ __device__ constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
