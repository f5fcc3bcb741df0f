// How long a kernel takes on a GPU of about an H200's size: a roofline over its
// tiles in waves and over what the second-level cache still has. A MODEL: its
// numbers are a data sheet's and guesses, none is measured.
#pragma once

#include <algorithm>
#include <map>
#include <math.h>
#include <stdint.h>
#include <string>
#include <utility>

constexpr int multiprocessors = 132;
constexpr double most_mhz = 1980, cache_bytes = 50 << 20;
constexpr double memory_bytes_per_ns = 4300, write_bytes_per_ns = 3500, cache_bytes_per_ns = 8000; // 4.3 TB/s and so on

// Caches know when each buffer was touched last, in bytes that were touched since.
struct Caches {
	struct Touched { double bytes, at; };
	std::map<uint64_t, Touched> last;
	double touched = 0;

	// touch is how many of the bytes come from memory.
	double touch(uint64_t p, double bytes) {
		if (!p || bytes <= 0) return 0;
		Touched &t = last[p];
		double there = std::max(0., std::min(std::min(bytes, t.bytes), cache_bytes - (touched - t.at)));
		touched += bytes;
		t = {bytes, touched - bytes};
		if (last.size() > 100000) last.clear();
		return bytes - there;
	}
};

// Where a kernel's struct of parameters has what: pointers first, then its sizes.
enum Sizes { none, length, columns, pool, convolution };
struct Shape {
	const char *prefix;
	int pointers;
	Sizes sizes;
	unsigned large; // which of the pointers are to activations: a bit each
};
constexpr Shape shapes[] = { // the first whose prefix fits
	{"masked_conv_forward", 5, convolution, 0}, {"masked_conv_backward_data", 3, convolution, 0}, {"masked_conv_backward_filter", 3, convolution, 0},
	{"conv_forward", 5, convolution, 0}, {"conv_moments", 5, convolution, 0}, {"conv_backward", 3, convolution, 0},
	{"depthwise_forward", 5, convolution, 0}, {"depthwise_backward", 3, convolution, 0},
	{"activate_backward", 3, length, 7}, {"activate", 2, length, 3}, {"add", 3, length, 7}, {"clamp_backward", 3, length, 7}, {"clamp", 2, length, 3},
	{"mul", 3, length, 7}, {"scale", 4, length, 3}, {"copy_channels", 2, length, 3}, {"sgd", 5, length, 7}, {"zero", 1, length, 1}, {"sum_partials", 2, columns, 2}, {"narrow", 2, length, 3},
	{"batch_norm_moments", 2, columns, 2}, {"batch_norm_apply", 7, columns, 7}, {"batch_norm_infer", 7, columns, 7}, {"batch_norm_sums", 8, columns, 14},
	{"batch_norm_input", 11, columns, 31}, {"bias_backward", 2, columns, 2}, {"max_pool_forward", 2, pool, 3}, {"max_pool_backward", 4, pool, 15},
	{"avg_pool_forward", 2, pool, 3}, {"avg_pool_backward", 2, pool, 3},
};

inline bool has(const std::string &name, const char *part) { return name.find(part) != std::string::npos; }

// took is the kernel's latency in ns at a share of the clock.
inline double took(const std::string &name, const char *params, int64_t blocks, double clock, Caches &caches) {
	double from_memory = 0, bytes = 0, compute = 0, waves = ceil(double(blocks) / multiprocessors);
	double width = has(name, "_in_") ? 2 : 4;
	const uint64_t *p = reinterpret_cast<const uint64_t *>(params);
	auto touch = [&](int i, double n) { from_memory += caches.touch(p[i], n), bytes += p[i] ? n : 0; };
	auto shape = std::find_if(std::begin(shapes), std::end(shapes), [&](const Shape &s) { return name.rfind(s.prefix, 0) == 0; });
	const int *n = shape == std::end(shapes) ? nullptr : reinterpret_cast<const int *>(p + shape->pointers);
	switch (n ? shape->sizes : none) {
	case none:
		break;
	case length:
	case columns:
	case pool:
		for (int i = 0; i < shape->pointers; i++) {
			if (!(shape->large >> i & 1)) continue;
			double of = shape->sizes == length ? double(*reinterpret_cast<const int64_t *>(n)) : double(n[0]) * n[1];
			if (shape->sizes == pool) of = double(n[0]) * n[3] * ((i == 0) != has(name, "backward") ? double(n[6]) * n[7] : double(n[1]) * n[2]);
			touch(i, width * of);
		}
		break;
	case convolution: {
		double N = n[0], H = n[1], W = n[2], C = n[3], K = n[4], RS = double(n[5]) * n[6], PQ = double(n[7]) * n[8], groups = n[15];
		bool backward = has(name, "backward"), filter = has(name, "filter"), depthwise = has(name, "depthwise");
		double x = width * N * H * W * C, y = width * N * PQ * K, w = 4 * K * RS * C / groups;
		touch(0, filter ? w : backward ? x : y);
		touch(1, backward ? y : x);
		touch(2, filter ? x : w);
		if (!backward) touch(4, y);
		bool warpgroups = has(name, "_warpgroup"), large = warpgroups || has(name, "_large");
		bool shared = has(name, "_warpgroup_half") || has(name, "_warpgroup_narrow"); // a multiprocessor by two of half or a quarter of the tile
		double tile_m = warpgroups && !shared ? 256 : large ? 128 : 64, tile_n = large && !has(name, "_narrow") ? 128 : 64, k = 32 * ceil(RS * (backward ? K : C) / groups / 32);
		if (depthwise) {
			compute = 2 * N * PQ * K * RS / (20e3 * clock); // 20 TFLOP/s
			break;
		}
		if (filter) k = 32 * ceil(N * PQ / std::max(1., blocks / (ceil(K / tile_m) * ceil(RS * C / tile_n))) / 32);
		if (backward && !filter) k /= double(n[9]) * n[10];
		double peak = warpgroups ? 750e3 : has(name, "bf16") || has(name, "fp16") ? 500e3 : has(name, "tf32") ? 250e3 : 50e3; // FLOP/ns, with wgmma and mma.sync
		if (shared) waves = 2 * ceil(double(blocks) / (2 * multiprocessors));
		compute = (waves * 2 * tile_m * tile_n * k) / (peak / multiprocessors * (large ? 0.9 : 0.7) * clock);
		bytes = std::max(bytes, double(blocks) * (tile_m + tile_n) * k * width);
	}
	}
	double spread = std::min(1., double(blocks) / multiprocessors); // few blocks ask for little
	double move = std::max(from_memory / memory_bytes_per_ns, bytes / (cache_bytes_per_ns * clock)) / spread;
	return 1500 / clock + std::max(compute, move) + 0.15 * std::min(compute, move);
}
