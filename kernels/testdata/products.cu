// A warpgroup's products, right, and wrong in each way that there is: d[64,128] = a·b over
// 64 common indices, each operand stored along them or across, and read as it is stored.
#include "../ptx.cuh"

struct Product {
	float *d;
	const uint16_t *a, *b; // bfloat16, [64 or 128, 64] or [64, 64 or 128]
};

enum Bug { none, no_proxy_fence, no_barrier, no_copy_wait, no_swizzle, wrong_stride, no_wgmma_fence, no_wait, touches, overwrites, others, part };

// Copies rows × 64 of an operand to where the tensor cores look for it.
template <bool across, int rows> __device__ void fill(char *to, const uint16_t *from, Bug bug) {
	for (int i = threadIdx.x; i < rows * 8; i += 128) {
		int line = across ? i / (rows / 8) : i / 8, side = across ? i % (rows / 8) : i % 8; // eights of a line
		int at = (across ? side / 8 * 64 : 0) + line;
		cp_async<16>(to + at * 128 + (side % 8 ^ (bug == no_swizzle ? 0 : line % 8)) * 16, from + i * 8);
	}
}

__device__ char *tiles() {
	DYNAMIC_SHARED(float4, shared);
	return reinterpret_cast<char *>(shared) + (-shared_address(shared) & 1023);
}

template <bool a_across, bool b_across> __device__ void multiply(const Product &p, Bug bug) {
	char *a = tiles(), *b = a + 64 * 128;
	fill<a_across, 64>(a, p.a, bug);
	fill<b_across, 128>(b, p.b, bug);
	cp_async_commit();
	if (bug != no_copy_wait) cp_async_wait<0>();
	if (bug != no_proxy_fence) fence_async();
	if (bug != no_barrier) __syncthreads();
	float sum[64] = {};
	if (bug != no_wgmma_fence) wgmma_fence();
	for (int k = 0; k < 64; k += 16) {
		int stride = bug == wrong_stride ? 512 : 1024;
		uint64_t of_a = wgmma_operand(a + k * (a_across ? 128 : 2), 0, stride), of_b = wgmma_operand(b + k * (b_across ? 128 : 2), 64 * 128, stride);
		if (bug == others && threadIdx.x >= 96) of_b += 2;
		if (bug != part || threadIdx.x < 96) wgmma_bf16<a_across, b_across>(sum, of_a, of_b);
	}
	wgmma_commit();
	if (bug == touches) sum[5] = 0;
	if (bug == overwrites) fill<a_across, 64>(a, p.a, none);
	cp_async_wait<0>();
	if (bug != no_wait) wgmma_wait<0>();
	wgmma_own(sum);
	int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
	for (int i = 0; i < 64; i++) p.d[(row + i / 2 % 2 * 8) * 128 + column + i / 4 * 8 + i % 2] = sum[i];
	if (bug == no_wait) wgmma_wait<0>();
}

KERNEL(128, along, Product p) { multiply<false, false>(p, none); }
KERNEL(128, a_across, Product p) { multiply<true, false>(p, none); }
KERNEL(128, b_across, Product p) { multiply<false, true>(p, none); }
KERNEL(128, across, Product p) { multiply<true, true>(p, none); }
#define BROKEN(bug) KERNEL(128, bug##_, Product p) { multiply<false, true>(p, bug); }
BROKEN(no_proxy_fence) BROKEN(no_barrier) BROKEN(no_copy_wait) BROKEN(no_swizzle) BROKEN(wrong_stride) BROKEN(no_wgmma_fence)
BROKEN(no_wait) BROKEN(touches) BROKEN(overwrites) BROKEN(others) BROKEN(part)
KERNEL(128, never_waits, Product p) {
	multiply<false, false>(p, none);
	float sum[64] = {};
	uint64_t a = wgmma_operand(tiles(), 0, 1024);
	wgmma_fence();
	wgmma_bf16<false, false>(sum, a, a);
	wgmma_commit();
}
