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

// Far outside any image, whatever a filter adds to it.
constexpr int nowhere = -(1 << 30);

__device__ __forceinline__ bool within(int i, int n) { return unsigned(i) < unsigned(n); }
