// A convolution's geometry. Images are NHWC, filters KRSC, everything float32;
// cg and kg are the channels of one group.
#pragma once

#include "elementwise.cuh"

struct Conv { // engine.Conv
	int n, h, w, c, k, r, s, p, q;
	int stride[2], pad[2], dilation[2];
	int groups;

	__device__ int cg() const { return c / groups; }
	__device__ int kg() const { return k / groups; }
	__device__ index_t x(int n, int h, int w) const { return ((index_t(n) * this->h + h) * this->w + w) * c; }
	__device__ index_t y(int n, int p, int q) const { return ((index_t(n) * this->p + p) * this->q + q) * k; }
};

// Which channels of one side take part, in slots: those that are on come first.
// AllChannels is every one, in its own place.
struct AllChannels {
	static constexpr bool masked = false;
	int n;

	__device__ int kept() const { return n; } // slots that are on
	__device__ int at(int slot) const { return slot; }
	__device__ bool on(int) const { return true; }
	__device__ bool any(int, int) const { return true; }
	__device__ bool any_of_sixteen(int) const { return true; }
};

// Mask is chunks of channels that are on: cuda.Mask. Where there is no list, all are.
struct Mask {
	const float *list; // [1 + chunks]: how many are on, their numbers, the others' numbers, both ascending
	int chunk;         // 8, 16 or 32
};

constexpr int max_chunks = 1024;

enum Side { INPUT, OUTPUT };

// The block's flags of the chunks of a side.
static __device__ bool *chunk_flags(Side side) {
	__shared__ bool flags[2][max_chunks];
	return flags[side];
}

struct MaskedChannels {
	static constexpr bool masked = true;
	int n, shift, count, kept_; // a chunk is 1 << shift
	const float *list;
	bool *flags; // of the chunks

	// By the whole block.
	__device__ MaskedChannels(const Mask &m, int n, Side side) : n(n), shift(m.chunk == 8 ? 3 : m.chunk == 16 ? 4 : 5), list(m.list), flags(chunk_flags(side)) {
		int chunks = ceil_div(n, m.chunk);
		count = list ? int(list[0]) : chunks;
		for (int i = threadIdx.x; i < chunks; i += blockDim.x) flags[list ? int(list[1 + i]) : i] = i < count;
		__syncthreads();
		kept_ = count * m.chunk - (flags[chunks - 1] ? chunks * m.chunk - n : 0); // the last chunk may be short
	}
	__device__ int kept() const { return kept_; }
	__device__ int at(int slot) const {
		if (!list || slot >= n) return slot;
		int first = 1;
		if (slot >= kept_) slot -= kept_, first += count;
		return (int(list[first + (slot >> shift)]) << shift) + (slot & ((1 << shift) - 1));
	}
	__device__ bool on(int channel) const { return flags[channel >> shift]; }
	// Of channels in eights, the sixteen from c on, which is such a number; after the last comes the first.
	__device__ bool any_of_sixteen(int c) const { return on(c) || on(c + 8 < n ? c + 8 : c + 8 - n); }
	// Whether one of the common indices from k to last, whose channel runs fastest, is on.
	__device__ bool any(int k, int last) const {
		while (k < last) {
			int c = k % n;
			if (on(c)) return true;
			k += min(((c >> shift) + 1) << shift, n) - c;
		}
		return false;
	}
};

// Far outside any image, whatever a filter adds to it.
constexpr int nowhere = -(1 << 30);

__device__ __forceinline__ bool within(int i, int n) { return unsigned(i) < unsigned(n); }
