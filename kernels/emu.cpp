//go:build emu

// The scheduler behind emu.h: one block at a time, its threads as fibers.
#include "emu.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef __x86_64__
#include <ucontext.h>
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace {

constexpr int max_threads = 1024, warp = 32, warpgroup = 4 * warp;
constexpr size_t stack_bytes = 256 << 10, guard_bytes = 4 << 10;

// A Context is where a fiber, or the scheduler, left off.
#ifdef __x86_64__
struct Context { void *sp; };

extern "C" void emu_switch(void **from, void *to);
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch, @function
emu_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
.size emu_switch, .-emu_switch
)");

void change(Context &from, Context &to) { emu_switch(&from.sp, to.sp); }

void start_at(Context &c, char *stack, void (*entry)()) {
	void **top = reinterpret_cast<void **>(stack + stack_bytes);
	*--top = nullptr; // entry returns to nobody, and finds the stack aligned as after a call
	*--top = reinterpret_cast<void *>(entry);
	for (int i = 0; i < 6; i++) *--top = nullptr;
	c.sp = top;
}
#else
struct Context { ucontext_t context; };

void change(Context &from, Context &to) { swapcontext(&from.context, &to.context); }

void start_at(Context &c, char *stack, void (*entry)()) {
	getcontext(&c.context);
	c.context.uc_stack.ss_sp = stack;
	c.context.uc_stack.ss_size = stack_bytes;
	makecontext(&c.context, entry, 0);
}
#endif

enum State { ready, at_block_barrier, at_warp_barrier, at_warpgroup_barrier, done };

struct Fiber {
	Context context;
	char *stack;
	int thread; // that it runs
};

struct Warp {
	uint64_t brought[2][warp]; // what lanes exchange: one is written while the other is read
	int arrived, exchanges;
	int line; // where the first of them waits
};

// The machine: one launch at a time.
emu_kernel *kernels;
Fiber fibers[max_threads];
Fiber *idle[max_threads];
int idle_count, fiber_count;

Context scheduler;
Fiber *running;
Fiber *fiber_of[max_threads]; // by thread, null before it starts
State state[max_threads];
int line_of[max_threads]; // of the barrier that a thread waits at
Warp warps[max_threads / warp];
int arrived[max_threads / warpgroup]; // of each warpgroup
emu::Factors factors_of[max_threads / warp][2];
int order[max_threads];
int threads;
const emu_kernel *kernel;
const void *params;
char *shared;
size_t shared_bytes;
char failure[256];
uint64_t random_state;

#ifdef __SANITIZE_ADDRESS__
const void *scheduler_stack;
size_t scheduler_stack_bytes;
#endif

void to_scheduler(Fiber *f) {
	emu::in_kernel = false;
#ifdef __SANITIZE_ADDRESS__
	void *fake;
	__sanitizer_start_switch_fiber(&fake, scheduler_stack, scheduler_stack_bytes);
#endif
	change(f->context, scheduler);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_stack_bytes);
#endif
}

void resume(Fiber *f) {
	running = f;
	threadIdx.x = f->thread;
	emu::in_kernel = true;
#ifdef __SANITIZE_ADDRESS__
	void *fake;
	__sanitizer_start_switch_fiber(&fake, f->stack, stack_bytes);
#endif
	change(scheduler, f->context);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

// A fiber runs one thread after another; between them it is idle.
void work() {
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
#endif
	for (;;) {
		Fiber *f = running;
		kernel->invoker.call(kernel->invoker.kernel, params);
		if (!emu::copies[f->thread].waiting.empty()) emu::fail("ends with copies on their way");
		if (emu::multiplies()) emu::fail("ends with products on their way");
		state[f->thread] = done;
		idle[idle_count++] = f;
		to_scheduler(f);
	}
}

Fiber *new_fiber() {
	Fiber *f = &fibers[fiber_count++];
	if (!f->stack) {
		void *p = mmap(nullptr, guard_bytes + stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED || mprotect(p, guard_bytes, PROT_NONE)) {
			perror("emu: no memory for a thread's stack");
			abort();
		}
		f->stack = static_cast<char *>(p) + guard_bytes;
	}
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(f->stack, stack_bytes);
#endif
	start_at(f->context, f->stack, work);
	return f;
}

uint64_t random_number() { // xorshift64
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

// Writes over the guards between arrays too, which AddressSanitizer must not see: it
// knows memset.
__attribute__((no_sanitize("address"), optimize("no-tree-loop-distribute-patterns", "tree-vectorize")))
void fill(char *from, char *to, char byte) {
	for (char *p = from; p < to; p++) *p = byte;
}

bool all_done() {
	for (int t = 0; t < threads; t++)
		if (state[t] != done) return false;
	return true;
}

// Opens the block's barrier once every thread is there.
bool open_block_barrier() {
	for (int t = 0; t < threads; t++)
		if (state[t] != at_block_barrier) return false;
	for (int t = 1; t < threads; t++)
		if (line_of[t] != line_of[0]) {
			snprintf(failure, sizeof failure, "block (%u,%u,%u): thread 0 is at __syncthreads of line %d while thread %d is at that of line %d", blockIdx.x, blockIdx.y, blockIdx.z, line_of[0], t, line_of[t]);
			return false;
		}
	for (int t = 0; t < threads; t++) state[t] = ready;
	emu::show();
	emu::check_barrier();
	return true;
}

void stuck() {
	static const char *const what[] = {"runs", "waits at __syncthreads", "waits for its warp", "waits for its warpgroup", "has ended"};
	int other = 0;
	while (other < threads && state[other] == state[0]) other++;
	if (other == threads)
		snprintf(failure, sizeof failure, "block (%u,%u,%u): every thread %s", blockIdx.x, blockIdx.y, blockIdx.z, what[state[0]]);
	else
		snprintf(failure, sizeof failure, "block (%u,%u,%u): thread 0 %s while thread %d %s", blockIdx.x, blockIdx.y, blockIdx.z, what[state[0]], other, what[state[other]]);
}

void run_block(emu_order how) {
	emu::check_block();
	char poison = how == EMU_DESCENDING ? 0x7f : 0xff;
	if (__start_emu_shared) fill(__start_emu_shared, __stop_emu_shared, poison);
	fill(shared, shared + shared_bytes, poison);
	memset(warps, 0, sizeof warps);
	memset(arrived, 0, sizeof arrived);
	emu::start_products(shared, shared_bytes);
	memset(fiber_of, 0, sizeof fiber_of);
	for (int t = 0; t < threads; t++) {
		state[t] = ready;
		emu::copies[t].waiting.clear();
		emu::copies[t].groups = 0;
	}
	do {
		if (how == EMU_SHUFFLED)
			for (int i = threads - 1; i > 0; i--) {
				int j = uint32_t(random_number()) * uint64_t(i + 1) >> 32, t = order[i];
				order[i] = order[j];
				order[j] = t;
			}
		bool moved = false;
		for (int i = 0; i < threads; i++) {
			int t = order[i];
			if (state[t] != ready) continue;
			if (!fiber_of[t]) {
				fiber_of[t] = idle_count ? idle[--idle_count] : new_fiber();
				fiber_of[t]->thread = t;
			}
			resume(fiber_of[t]);
			if (failure[0]) return;
			moved = true;
		}
		if (!moved) {
			stuck();
			return;
		}
	} while ((open_block_barrier() || !all_done()) && !failure[0]);
}

} // namespace

emu_kernel::emu_kernel(const char *name, emu::Invoker invoker, int threads)
	: name(name), invoker(invoker), threads(threads), next(kernels) {
	kernels = this;
}

void emu::block_barrier(int line) {
	Fiber *f = running;
	line_of[f->thread] = line;
	state[f->thread] = at_block_barrier;
	to_scheduler(f);
}

void emu::warp_barrier(unsigned mask, int line, bool orders_memory) {
	if (mask != ~0u) return fail("calls on part of its warp, which is not emulated");
	Fiber *f = running;
	Warp &w = warps[f->thread / warp];
	int first = f->thread / warp * warp, last = threads - first < warp ? threads : first + warp;
	if (w.arrived > 0 && line != w.line) return fail("and another of its warp wait for it at different places");
	w.line = line;
	if (++w.arrived < last - first) {
		state[f->thread] = at_warp_barrier;
		to_scheduler(f);
		return;
	}
	w.arrived = 0;
	w.exchanges++;
	if (orders_memory) check_warp(f->thread / warp);
	for (int t = first; t < last; t++) state[t] = ready;
}

void emu::warpgroup_barrier(void (*last)(int)) {
	Fiber *f = running;
	int number = f->thread / warpgroup, first = number * warpgroup;
	if (threads - first < warpgroup) return fail("calls on a warpgroup, of which its block has only a part");
	if (++arrived[number] < warpgroup) {
		state[f->thread] = at_warpgroup_barrier;
		to_scheduler(f);
		return;
	}
	arrived[number] = 0;
	last(number);
	for (int t = first; t < first + warpgroup; t++) state[t] = ready;
}

uint64_t *emu::exchange(unsigned mask, uint64_t mine, int line) {
	Warp &w = warps[running->thread / warp];
	uint64_t *brought = w.brought[w.exchanges % 2];
	brought[running->thread % warp] = mine;
	warp_barrier(mask, line);
	return brought;
}

emu::Factors &emu::factors() {
	int w = running->thread / warp;
	return factors_of[w][warps[w].exchanges % 2];
}

void *emu::dynamic_shared() { return shared; }

// Leaves the launch: the fibers in it are never resumed.
void emu::fail(const char *what) {
	Fiber *f = running;
	snprintf(failure, sizeof failure, "block (%u,%u,%u): thread %d %s", blockIdx.x, blockIdx.y, blockIdx.z, f->thread, what);
	to_scheduler(f);
}

const emu_kernel *emu_find(const char *name) {
	for (const emu_kernel *k = kernels; k; k = k->next)
		if (!strcmp(k->name, name)) return k;
	return nullptr;
}

#ifndef __SANITIZE_THREAD__
void *emu_alloc(size_t bytes) {
	void *p;
	if (posix_memalign(&p, 256, bytes ? bytes : 1)) return nullptr;
	return memset(p, 0xff, bytes);
}
void emu_free(void *p) { free(p); }
void emu_written(const void *, size_t) {}
#endif

size_t emu_params(const emu_kernel *k) { return k->invoker.params; }

const char *emu_refused(const emu_kernel *k, const int grid[3], int block_threads, size_t dynamic_shared) {
	static char why[100];
	why[0] = 0;
	if (block_threads != k->threads)
		snprintf(why, sizeof why, "%d threads a block, the kernel is made for %d", block_threads, k->threads);
	if (grid[0] < 1 || grid[1] < 1 || grid[2] < 1 || grid[1] > 65535 || grid[2] > 65535)
		snprintf(why, sizeof why, "a grid of %dx%dx%d blocks", grid[0], grid[1], grid[2]);
	if (dynamic_shared > 227 << 10)
		snprintf(why, sizeof why, "%zu bytes of shared memory, a block has 227 KiB", dynamic_shared);
	return why[0] ? why : nullptr;
}

const char *emu_launch(const emu_kernel *k, const void *p, const int grid[3], int block_threads, size_t dynamic_shared, emu_order how) {
	if (const char *why = emu_refused(k, grid, block_threads, dynamic_shared)) return why;
	failure[0] = 0;
	kernel = k, params = p, threads = block_threads;
	shared_bytes = dynamic_shared;
	shared = emu::check_launch(dynamic_shared);
	random_state = 0x9e3779b97f4a7c15;
	for (int i = 0; i < threads; i++) order[i] = how == EMU_DESCENDING ? threads - 1 - i : i;
	gridDim = {emu_count(grid[0]), emu_count(grid[1]), emu_count(grid[2])};
	blockDim = {emu_count(threads), 1, 1};
	threadIdx.y = threadIdx.z = 0;
	int64_t run[3]; // blocks of each axis
	bool ends[3];
	for (int i = 0; i < 3; i++) {
		ends[i] = how == EMU_ENDS && grid[i] > 64;
		run[i] = ends[i] ? 2 : grid[i];
	}
	auto place = [&](int axis, int64_t i) { return emu_count(ends[axis] && i > 0 ? grid[axis] - 1 : i); };
	int64_t plane = run[0] * run[1], blocks = plane * run[2];
	for (int64_t i = 0; i < blocks && !failure[0]; i++) {
		int64_t b = how == EMU_DESCENDING || how == EMU_SHUFFLED ? blocks - 1 - i : i;
		blockIdx = {place(0, b % run[0]), place(1, b / run[0] % run[1]), place(2, b / plane)};
		run_block(how);
	}
	emu::check_end(shared);
	if (!failure[0]) return nullptr;
	fiber_count = idle_count = 0; // fibers left in the middle start anew
	return failure;
}
