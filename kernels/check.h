// What compute-sanitizer finds on a GPU, found by the emulation. The compiler calls
// before each read and write of a kernel (-fsanitize=thread, whose calls check.cpp
// answers); where it does not, all of this is nothing. `make test-check` is the command.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef __SANITIZE_THREAD__
#define UNCHECKED __attribute__((noinline, no_sanitize("thread", "undefined")))
typedef int emu_count; // of blocks and threads: a product of them that needs 32 bits is found
#else
#define UNCHECKED inline
typedef unsigned emu_count;
#endif

namespace emu {

inline bool in_kernel; // not in the scheduler

enum Access { READ, WRITE, ATOMIC, BEGUN }; // begun: a copy that may come at any time until it is written

#ifdef __SANITIZE_THREAD__
// An access that the compiler does not see, such as memcpy's.
void access(const void *, size_t bytes, Access);

// What the scheduler does.
char *check_launch(size_t shared_bytes); // the block's dynamic shared memory
void check_end(char *shared);
void check_block();
void check_barrier();
void check_warp(int warp); // at __syncwarp alone: a shuffle orders no memory
#else
inline void access(const void *, size_t, Access) {}
inline char *check_launch(size_t shared_bytes) { return static_cast<char *>(malloc(shared_bytes)); }
inline void check_end(char *shared) { free(shared); }
inline void check_block() {}
inline void check_barrier() {}
inline void check_warp(int) {}
#endif

} // namespace emu
