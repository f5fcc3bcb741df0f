//go:build emu

// A warpgroup's products on the host. Their operands are found as the tensor cores find
// them, by the bits of a descriptor. Nothing is multiplied before a thread waits for it,
// and until then the sums are not a number; a product is refused whose operand
// has not come by cp.async, been shown by its thread's fence.proxy.async and waited for
// at a barrier, and so is a copy over an operand of a product that is on its way.
#include "emu.h"

#include <algorithm>
#include <deque>

namespace {

constexpr int group_threads = 128, rows = 64, depth = 16, most_columns = 256;
constexpr uint32_t begins_at = 16; // dynamic shared memory, whose alignment a kernel may not count on
constexpr uint64_t zero_bits = 0x3fffull << 48 | 3ull << 46 | 3ull << 30 | 3ull << 14; // the base offset is among them: it is not emulated

// What became of 16 bytes of shared memory.
struct Granule {
	int thread, fences; // that copied them last, and how many fence.proxy.async it had behind it
	bool there;
	int readers; // products on their way
};
std::vector<Granule> granules;
int fences[1024], shown[1024]; // fence.proxy.async of each thread, now and when the block's last barrier opened
bool fenced[1024];             // wgmma.fence, since its registers were its own
int groups[1024];              // of products, committed by each thread
const char *base;

// Sums that are not in their registers.
struct Sums {
	float *of[group_threads];
	float at[rows][most_columns];
	int products; // on their way
};
struct Product {
	emu::Operands o;
	Sums *sums;
	int group;
};
struct Warpgroup {
	emu::Operands issued;
	float *sums[group_threads];
	int came;
	std::deque<Product> waiting;
	std::vector<Sums *> held;
};
Warpgroup warpgroups[1024 / group_threads];

Granule *granule(uint32_t address) {
	size_t i = (address - begins_at) / 16;
	return address >= begins_at && i < granules.size() ? &granules[i] : nullptr;
}

// Each of the elements of both operands, to do something with.
template <class Do> void each(const emu::Operands &o, Do act) {
	for (int k = 0; k < depth; k++) {
		for (int m = 0; m < rows; m++) act(true, m, k, emu::operand_address(o.a, o.a_across, m, k));
		for (int n = 0; n < o.columns; n++) act(false, n, k, emu::operand_address(o.b, o.b_across, n, k));
	}
}

// Adds `by` to the readers of what the operands lie in, and says why they cannot be read.
const char *read(const emu::Operands &o, int by) {
	const char *why = nullptr;
	each(o, [&](bool, int, int, uint32_t address) {
		Granule *g = granule(address);
		if (!g) why = "multiplies what lies outside its dynamic shared memory";
		else if (by > 0 && !g->there) why = "multiplies what no copy that was waited for has brought";
		else if (by > 0 && g->fences == shown[g->thread]) why = "multiplies a copy that has not had fence.proxy.async and then a barrier";
		else g->readers += by;
	});
	return why;
}

// By the last thread of a warpgroup to come to a product.
void issue(int number) {
	Warpgroup &w = warpgroups[number];
	w.came = 0;
	if (w.issued.a & zero_bits || w.issued.b & zero_bits) return emu::fail("multiplies by a descriptor with bits that are zero, or with a base offset");
	if (const char *why = read(w.issued, 1)) return emu::fail(why);
	auto same = std::find_if(w.held.begin(), w.held.end(), [&](Sums *s) { return s->of[0] == w.sums[0]; });
	Sums *sums = same == w.held.end() ? nullptr : *same;
	if (!sums) {
		w.held.push_back(sums = new Sums);
		sums->products = 0;
		for (int t = 0; t < group_threads; t++) {
			if (!fenced[number * group_threads + t]) return emu::fail("multiplies into registers without wgmma.fence");
			sums->of[t] = w.sums[t];
			for (int i = 0; i < w.issued.columns / 2; i++) sums->at[emu::sum_row(t, i)][emu::sum_column(t, i)] = w.sums[t][i];
			memset(w.sums[t], 0xff, w.issued.columns / 2 * sizeof(float));
		}
	}
	sums->products++;
	w.waiting.push_back({w.issued, sums, groups[number * group_threads]});
}

__attribute__((optimize("O3"))) void add(float *sums, float a, const float *b, int columns) {
	for (int n = 0; n < columns; n++) sums[n] += a * b[n];
}

// Multiplies, and gives sums that no other product is to come for back to their registers.
void finish(int number) {
	Warpgroup &w = warpgroups[number];
	Product p = w.waiting.front();
	w.waiting.pop_front();
	static float a[depth][rows], b[depth][most_columns];
	each(p.o, [&](bool of_a, int i, int k, uint32_t address) {
		uint16_t bits;
		memcpy(&bits, base + (address - begins_at), sizeof bits);
		(of_a ? a[k][i] : b[k][i]) = p.o.value(bits);
	});
	read(p.o, -1);
	for (int k = 0; k < depth; k++)
		for (int m = 0; m < rows; m++) add(p.sums->at[m], a[k][m], b[k], p.o.columns);
	if (--p.sums->products) return;
	bool touched = false;
	for (int t = 0; t < group_threads; t++) {
		fenced[number * group_threads + t] = false;
		for (int i = 0; i < p.o.columns / 2; i++) {
			uint32_t poison;
			memcpy(&poison, &p.sums->of[t][i], sizeof poison);
			touched |= poison != ~0u;
			p.sums->of[t][i] = p.sums->at[emu::sum_row(t, i)][emu::sum_column(t, i)];
		}
	}
	w.held.erase(std::find(w.held.begin(), w.held.end(), p.sums));
	delete p.sums;
	if (touched) emu::fail("writes sums whose products are on their way");
}

} // namespace

uint32_t emu::operand_address(uint64_t d, bool across, int row, int k) {
	auto bytes = [&](int bit) { return uint32_t(d >> bit & 0x3fff) << 4; };
	const uint32_t start = bytes(0), leading = bytes(16), stride = bytes(32);
	const int wide = "\1\10\4\2"[d >> 62]; // 16 bytes side by side: swizzles of 0, 128, 64 and 32
	uint32_t at;
	if (!across) at = row / 8 * stride + row % 8 * wide * 16 + k % 8 * 2 + k / 8 * (wide == 1 ? leading : 16);
	else if (wide == 1) at = row / 8 * stride + row % 8 * 2 + k % 8 * 16 + k / 8 * leading;
	else at = row / (8 * wide) * leading + row % (8 * wide) * 2 + k % 8 * wide * 16 + k / 8 * stride;
	at += start;
	return at ^ (at >> 7 & (wide - 1)) << 4;
}

int emu::sum_row(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8; }
int emu::sum_column(int thread, int i) { return i / 4 * 8 + thread % 4 * 2 + i % 2; }

uint32_t emu::shared_address(const void *p) { return static_cast<const char *>(p) - base + begins_at; }

void emu::copy_begins(const void *to) {
	Granule *g = granule(shared_address(to));
	if (!g) return;
	if (g->readers) return fail("copies over an operand of a product that is on its way");
	g->there = false;
}

void emu::copy_ends(const void *to) {
	if (Granule *g = granule(shared_address(to))) *g = {int(threadIdx.x), fences[threadIdx.x], true, g->readers};
}

void emu::fence_async() { fences[threadIdx.x]++; }

void emu::show() { memcpy(shown, fences, sizeof shown); }

void emu::wgmma_fence() { fenced[threadIdx.x] = true; }

void emu::wgmma(float *sums, const Operands &o) {
	Warpgroup &w = warpgroups[threadIdx.x / group_threads];
	if (w.came++ == 0) w.issued = o;
	else if (w.issued.a != o.a || w.issued.b != o.b) return fail("multiplies other operands than the rest of its warpgroup");
	w.sums[threadIdx.x % group_threads] = sums;
	warpgroup_barrier(issue);
}

void emu::wgmma_commit() { groups[threadIdx.x]++; }

void emu::wgmma_wait(int n) {
	int number = threadIdx.x / group_threads;
	std::deque<Product> &waiting = warpgroups[number].waiting;
	while (!waiting.empty() && waiting.front().group < groups[threadIdx.x] - n) finish(number);
}

bool emu::multiplies() { return !warpgroups[threadIdx.x / group_threads].waiting.empty(); }

void emu::start_products(const char *shared, size_t bytes) {
	base = shared;
	granules.assign(bytes / 16, Granule{});
	memset(fences, 0, sizeof fences);
	show();
	memset(fenced, 0, sizeof fenced);
	memset(groups, 0, sizeof groups);
	for (Warpgroup &w : warpgroups) {
		w.came = 0;
		w.waiting.clear();
		for (Sums *s : w.held) delete s;
		w.held.clear();
	}
}
