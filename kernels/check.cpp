//go:build emu

// Every byte of device and of shared memory remembers who wrote it last and who read
// it, and when. Two accesses, one of which writes, are a race where nothing orders them:
// __syncthreads orders a block's, __syncwarp a warp's, and between blocks there is
// nothing but the launch's end. A byte that nobody has written must not be read.
// Undefined arithmetic and addresses that are no multiple of what lies there come from
// -fsanitize=undefined, whose reports are launch errors, too.
#ifdef __SANITIZE_THREAD__
#pragma GCC optimize("O3")
#include "emu.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace {

enum : uint16_t { THREAD = 0x3ff, MANY_BLOCKS = 0x400, MANY_WARPS = 0x800, MANY = 0x1000, ATOMICALLY = 0x2000, ON_ITS_WAY = 0x4000 };

struct Record {
	uint32_t when; // a barrier's interval: 0 never, 1 by the host
	uint16_t who, syncs; // how often the thread's warp had been at __syncwarp
};

struct Byte { Record write, read; };

// Virtual memory that costs what is used of it: a Byte for each of the arena's lies at
// the same place of its shadow.
constexpr size_t arena_bytes = size_t(1) << 32, page = 4 << 10;
char *arena;
Byte *arena_shadow, static_shadow[64 << 10], dynamic_shadow[256 << 10];
struct Allocation { char *at; size_t bytes; } allocations[1 << 10];
int allocation_count;

char *shared;
size_t shared_bytes;
uint32_t launch_from, block_from, now = 1;
uint16_t syncs[32];

UNCHECKED void *reserve(size_t bytes) {
	void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) perror("emu: no room for shadow memory"), abort();
	return p;
}

UNCHECKED Allocation *allocation(const char *p) {
	for (Allocation *a = allocations; a < allocations + allocation_count; a++)
		if (p >= a->at && p < a->at + a->bytes) return a;
	return nullptr;
}

UNCHECKED void fail(const char *p, const char *what, int other = -1, const char *why = "") {
	static char text[200];
	char place[60], who[20] = "";
	if (const Allocation *a = allocation(p)) snprintf(place, sizeof place, "byte %zu of %zu of device memory", p - a->at, a->bytes);
	else if (size_t(p - arena) < arena_bytes) snprintf(place, sizeof place, "device memory outside of every allocation");
	else if (size_t(p - shared) < sizeof dynamic_shadow / sizeof(Byte)) snprintf(place, sizeof place, "byte %zu of %zu of dynamic shared memory", p - shared, shared_bytes);
	else snprintf(place, sizeof place, "a __shared__ array");
	if (other >= 0) snprintf(who, sizeof who, " thread %d", other);
	snprintf(text, sizeof text, "%s%s%s: %s", what, who, why, place);
	emu::fail(text);
}

// What the running thread does to a byte. From is when what it may depend on began.
UNCHECKED void visit(Byte &b, const char *p, uint32_t from, bool mine, emu::Access a) {
	uint16_t me = threadIdx.x;
	Record &w = b.write, &r = b.read;
	auto ordered = [&](const Record &o) __attribute__((no_sanitize("thread", "undefined"))) {
		return o.when < now || (o.who & THREAD) == me || ((o.who & THREAD) / 32 == me / 32 && o.syncs != syncs[me / 32]);
	};
	if (a == emu::READ && (mine ? w.when < block_from : w.when == 0)) return fail(p, "reads what nobody has written");
	if (w.when >= from) {
		if ((w.who & ON_ITS_WAY) && (a != emu::WRITE || (w.who & THREAD) != me)) return fail(p, "uses what a copy is on its way to");
		bool both = a == emu::ATOMIC && (w.who & ATOMICALLY);
		const char *what = a == emu::READ ? "reads what is written by" : "writes what is written by";
		if (!both && (w.when < block_from || (w.who & MANY_BLOCKS))) return fail(p, what, w.who & THREAD, " of another block of the launch");
		if (!both && (!ordered(w) || (w.when == now && (w.who & MANY)))) return fail(p, what, w.who & THREAD, ", with no barrier between");
	}
	if (a == emu::READ) {
		uint16_t who = me;
		if (r.when >= from) who |= r.when < block_from ? MANY_BLOCKS : r.who & MANY_BLOCKS;
		if (r.when == now) {
			who |= r.who & MANY_WARPS;
			if ((r.who & THREAD) / 32 != me / 32) who |= MANY_WARPS;
			else if (r.syncs == syncs[me / 32]) who |= (r.who & MANY) | ((r.who & THREAD) != me ? MANY : 0);
		}
		r = {now, who, syncs[me / 32]};
		return;
	}
	if (r.when >= from) {
		const char *what = "writes what is read by";
		if (r.when < block_from || (r.who & MANY_BLOCKS)) return fail(p, what, r.who & THREAD, " of another block of the launch");
		bool several = r.when == now && ((r.who & MANY_WARPS) || ((r.who & MANY) && r.syncs == syncs[me / 32]));
		if (several || !ordered(r)) return fail(p, what, r.who & THREAD, ", with no barrier between");
	}
	uint16_t who = me | (a == emu::BEGUN ? ON_ITS_WAY : 0);
	if (a == emu::ATOMIC) {
		who |= ATOMICALLY;
		if (w.when >= from) who |= w.when < block_from ? MANY_BLOCKS : w.who & MANY_BLOCKS;
		if (w.when == now) who |= (w.who & MANY) | ((w.who & THREAD) != me ? MANY : 0);
	}
	w = {now, who, syncs[me / 32]};
}

UNCHECKED void visit_all(const char *p, size_t bytes, emu::Access a) {
	if (!emu::in_kernel) return;
	Byte *b;
	bool mine = true;
	if (size_t(p - arena) < arena_bytes) {
		mine = false;
		b = arena_shadow + (p - arena);
		const Allocation *in = allocation(p);
		if (!in || p + bytes > in->at + in->bytes) return fail(in ? in->at + in->bytes : p, a == emu::READ ? "reads" : "writes");
	} else if (size_t(p - __start_emu_shared) < size_t(__stop_emu_shared - __start_emu_shared)) {
		b = static_shadow + (p - __start_emu_shared);
	} else if (size_t(p - shared) < sizeof dynamic_shadow / sizeof(Byte)) {
		if (p + bytes > shared + shared_bytes) return fail(p, a == emu::READ ? "reads beyond the end" : "writes beyond the end");
		b = dynamic_shadow + (p - shared);
	} else {
		return; // the thread's own, or the emulation's
	}
	const Byte before = b[0];
	visit(b[0], p, mine ? block_from : launch_from, mine, a);
	for (size_t i = 1; i < bytes; i++) // mostly, all of them have the same past
		if (!memcmp(b + i, &before, sizeof before)) b[i] = b[0];
		else visit(b[i], p + i, mine ? block_from : launch_from, mine, a);
}

} // namespace

UNCHECKED void emu::access(const void *p, size_t bytes, Access a) { visit_all(static_cast<const char *>(p), bytes, a); }

UNCHECKED void *emu_alloc(size_t bytes) {
	if (!arena) {
		arena = static_cast<char *>(reserve(arena_bytes));
		arena_shadow = static_cast<Byte *>(reserve(arena_bytes * sizeof(Byte)));
	}
	size_t room = (bytes + page) / page * page + page; // with a guard
	char *p = arena + page;
	int i = 0; // allocations lie in order
	for (; i < allocation_count && allocations[i].at < p + room; i++) p = allocations[i].at + (allocations[i].bytes + page) / page * page + page;
	if (p + room > arena + arena_bytes || allocation_count == sizeof allocations / sizeof *allocations) return nullptr;
	memmove(allocations + i + 1, allocations + i, (allocation_count++ - i) * sizeof *allocations);
	allocations[i] = {p, bytes};
	madvise(arena_shadow + (p - arena), room * sizeof(Byte), MADV_DONTNEED); // zeros
	memset(p, 0xff, bytes);
	return p;
}

UNCHECKED void emu_free(void *p) {
	Allocation *a = allocation(static_cast<char *>(p));
	if (a) memmove(a, a + 1, (allocations + allocation_count-- - (a + 1)) * sizeof *a);
}

UNCHECKED void emu_written(const void *at, size_t bytes) {
	const char *p = static_cast<const char *>(at);
	if (allocation(p))
		for (size_t i = 0; i < bytes; i++) {
			uint32_t word;
			memcpy(&word, p + (i & ~size_t(3)), sizeof word);
			arena_shadow[p - arena + i] = {{word != EMU_UNWRITTEN, 0, 0}, {}};
		}
}

UNCHECKED char *emu::check_launch(size_t bytes) {
	alignas(16) static char room[sizeof dynamic_shadow / sizeof(Byte)];
	if (size_t(__stop_emu_shared - __start_emu_shared) > sizeof static_shadow / sizeof(Byte)) abort();
	launch_from = ++now;
	shared_bytes = bytes;
	return shared = room;
}
UNCHECKED void emu::check_end(char *) {}
UNCHECKED void emu::check_block() { block_from = ++now; }
UNCHECKED void emu::check_barrier() { now++; }
UNCHECKED void emu::check_warp(int warp) { syncs[warp]++; }

// What the compiler calls.
#define ACCESS(name, bytes, how) extern "C" UNCHECKED void __tsan_##name(void *p) { emu::access(p, bytes, how); }
#define EACH_SIZE(read, how) ACCESS(read##1, 1, how) ACCESS(read##2, 2, how) ACCESS(read##4, 4, how) ACCESS(read##8, 8, how) ACCESS(read##16, 16, how)
EACH_SIZE(read, emu::READ)
EACH_SIZE(write, emu::WRITE)
EACH_SIZE(unaligned_read, emu::READ) // -fsanitize=alignment says where one must not be
EACH_SIZE(unaligned_write, emu::WRITE)
extern "C" {
UNCHECKED void __tsan_read_range(void *p, size_t bytes) { emu::access(p, bytes, emu::READ); }
UNCHECKED void __tsan_write_range(void *p, size_t bytes) { emu::access(p, bytes, emu::WRITE); }
UNCHECKED void __tsan_vptr_update(void **, void *) {}
UNCHECKED void __tsan_init() {}
}

namespace {
struct Place { const char *file; uint32_t line, column; }; // what every report begins with
struct Mismatch { Place at; const void *type; uint8_t log_alignment, kind; };

UNCHECKED void report(const Place *at, const char *what) {
	static char text[200];
	snprintf(text, sizeof text, "%s at %s:%u", what, at->file, at->line);
	if (emu::in_kernel) return emu::fail(text);
	fprintf(stderr, "emu: %s\n", text);
	abort();
}
} // namespace

#define REPORT(name, what) extern "C" UNCHECKED void __ubsan_handle_##name(const Place *at) { report(at, what); }
REPORT(add_overflow, "adds to more than an int holds")
REPORT(sub_overflow, "subtracts to less than an int holds")
REPORT(mul_overflow, "multiplies to more than an int holds")
REPORT(negate_overflow, "negates to more than an int holds")
REPORT(divrem_overflow, "divides by zero")
REPORT(shift_out_of_bounds, "shifts by more bits than there are")
REPORT(out_of_bounds, "indexes beyond an array's end")
REPORT(float_cast_overflow, "casts to an int what none holds")
REPORT(pointer_overflow, "adds to a pointer more than memory has")
extern "C" UNCHECKED void __ubsan_handle_type_mismatch_v1(const Mismatch *m, uintptr_t p) {
	report(&m->at, p ? "uses an address that is no multiple of what lies there" : "uses a null pointer");
}
#endif
