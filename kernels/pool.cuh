// A pooling window's geometry, and what every pool needs of it.
#pragma once

#include "elementwise.cuh"

struct Pool { // engine.Pool
	int n, h, w, c, r, s, p, q;
	int stride[2], pad[2];

	__device__ index_t in() const { return index_t(n) * h * w * c; }
	__device__ index_t out() const { return index_t(n) * p * q * c; }
};

// Span is a range of places, last not included.
struct Span {
	int first, last;
	__device__ int len() const { return last - first; }
};

// Inside is the pixels that window i sees, of n.
__device__ __forceinline__ Span inside(int i, int stride, int pad, int size, int n) {
	int first = i * stride - pad;
	return {max(first, 0), min(first + size, n)};
}

// Readers is the windows that see pixel i, of n.
__device__ __forceinline__ Span readers(int i, int stride, int pad, int size, int n) {
	int before = i + pad - size + 1;
	return {before <= 0 ? 0 : ceil_div(before, stride), min((i + pad) / stride + 1, n)};
}

// An element's place in an image tensor, whose pixels are counted in 31 bits.
struct Place {
	int n, h, w, c;
	__device__ Place(index_t i, int height, int width, int channels) {
		c = int(i % channels);
		int pixel = int(i / channels);
		w = pixel % width;
		h = pixel / width % height;
		n = pixel / width / height;
	}
};

__device__ __forceinline__ index_t offset(int n, int h, int w, int c, int height, int width, int channels) {
	return ((index_t(n) * height + h) * width + w) * channels + c;
}
